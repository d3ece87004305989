"""Data that arrives: files put where the project keeps its data, tracked and committed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import NotFound
from mlops_cli.store.cache import Cache
from mlops_cli.store.statcache import StatCache
from mlops_cli.vcs.commit import commit_paths
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import track
from mlops_cli.workspace.pointer import SUFFIX
from mlops_cli.workspace.tracked import tracked


@dataclass(frozen=True, slots=True)
class Arrival:
    """Files that come together: path in the project → the file to bring there."""

    name: str
    files: Mapping[str, Path]


def arrivals(folder: Path) -> list[Arrival]:
    """Return what lies in `folder`, laid out like the project, one arrival a file name, sorted.

    data/flights/2013-02.parquet and data/weather/2013-02.parquet arrive together as "2013-02".
    Raises NotFound ("nothing-arrives").
    """
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        found.setdefault(path.stem, {})[path.relative_to(folder).as_posix()] = path
    if not found:
        raise NotFound(
            f"there are no files in {folder}",
            code="nothing-arrives",
            hint="lay them out like the project: data/flights/2013-02.parquet",
        )
    return [Arrival(name, found[name]) for name in sorted(found)]


def arrive(
    root: Path, git: Git, cache: Cache, stats: StatCache, arrival: Arrival, *, commit: bool = True
) -> str | None:
    """Put the files of `arrival` into the project, track them again and commit the pointers.

    A file that is there already with other bytes is replaced; its former bytes stay in the cache
    when they were tracked. Returns the commit.
    """
    for relative, source in arrival.files.items():
        target = fsio.inside(root, relative)
        with fsio.replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    known = tracked(root, git)
    touched = [
        one.path
        for one in known
        if any(path == one.path or path.startswith(one.path + "/") for path in arrival.files)
    ]
    track.add(root, touched, git=git, cache=cache, stats=stats, tracked=known)
    if not commit:
        return None
    pointers = [path + SUFFIX for path in touched]
    return commit_paths(git, pointers, subject=f"data: {arrival.name} arrives")
