"""Another repository at a revision: what it tracks, what git keeps in it, and where the data is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mlops_cli import config
from mlops_cli.config import Settings
from mlops_cli.errors import MlopsError, NotFound
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.vcs import elsewhere, objects
from mlops_cli.vcs.address import Address
from mlops_cli.vcs.elsewhere import Elsewhere
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import caches
from mlops_cli.workspace.pointer import is_pointer
from mlops_cli.workspace.supply import Supply
from mlops_cli.workspace.tracked import Tracked, tracked, tracked_at
from mlops_cli.workspace.trust import Trust

SETTINGS = ".mlops/config.yaml"
OURS = ".mlops/"


class GitFile(NamedTuple):
    """A file that git itself keeps."""

    path: str
    mode: str  # 100644, 100755, 120000
    id: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """A repository at one commit. `files` are what git keeps there, pointers and locks left out."""

    at: Elsewhere
    tracked: tuple[Tracked, ...]
    files: Mapping[str, GitFile]
    settings: Settings

    def supply(
        self,
        cache: Cache,
        *,
        now: Callable[[], datetime],
        home: Path,
        trust: Trust,
        progress: Progress = SILENT,
    ) -> Supply:
        """Return where its data is: beside it on this disk, then its own remotes."""
        root = self.at.address.root
        return Supply(
            self.at.address.url,
            cache,
            self.settings,
            root,
            now,
            trust=trust,
            beside=_cache_of(root, home) if root is not None else None,
            progress=progress,
        )


def open_foreign(where: Address, revision: str | None, *, mirrors: Path) -> Foreign:
    """Return the repository at `where` as it is at `revision` (its default branch when None).

    Raises as `elsewhere.look` and `tracked_at` do.
    """
    at = elsewhere.look(where, revision, mirrors=mirrors)
    return _read(at)


def open_own(root: Path, git: Git, settings: Settings, revision: str | None) -> Foreign:
    """Return the repository at `root` itself: its work tree's pointers and locks when `revision`
    is None, without what git keeps."""
    where = Address(str(root), root)
    if revision is None:
        return Foreign(Elsewhere(where, "", git), tuple(tracked(root, git)), {}, settings)
    found = _read(Elsewhere(where, git.rev_parse(revision), git))
    return replace(found, settings=settings)


def _read(at: Elsewhere) -> Foreign:
    files = {
        file.path: file
        for row in at.git.run("ls-tree", "-r", "-z", "--full-tree", at.commit).split("\0")
        if (file := _file(row)) is not None
    }
    ours = [path for path in files if is_pointer(path) or path.startswith(OURS)]
    at.bring(files[path].id for path in ours)
    settings = Settings({})
    if SETTINGS in files:
        (found,) = objects.read(at.git, [files[SETTINGS].id])
        text = found.data.decode("utf-8", "replace") if found else ""
        settings = config.parse(text, source=f"{at.address.url}:{SETTINGS}")
    found_tracked = tuple(tracked_at(at.git, at.commit))
    plain = {path: file for path, file in files.items() if path not in set(ours)}
    return Foreign(at, found_tracked, plain, settings)


def clean(path: str) -> str:
    """Return a path in another repository in one spelling; "" is all of it.

    Raises NotFound ("missing-path") for one that leads out of it.
    """
    parts = [part for part in PurePosixPath(path).parts if part != "."]
    if ".." in parts or path.startswith("/"):
        raise NotFound(
            f"{path} leads out of the repository",
            code="missing-path",
            hint="name a path as it stands in the repository",
            details={"path": path},
        )
    return "/".join(parts)


def _file(row: str) -> GitFile | None:
    facts, tab, path = row.partition("\t")
    if not tab:
        return None
    mode, kind, id = facts.split(" ")
    return GitFile(path, mode, id) if kind == "blob" else None  # a submodule is not in it


def _cache_of(root: Path, home: Path) -> Cache | None:
    """Return the cache of a project on this disk, None where it has none that can be told."""
    try:
        settings = config.load(root, environment={}, home=home)
    except (MlopsError, OSError):
        return None
    return caches.cache_of(root, settings) if caches.place(root, settings).is_dir() else None
