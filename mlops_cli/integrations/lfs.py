"""Files of git-lfs become ours: their bytes into the cache, pointers of mlops in their place."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlops_cli import fsio
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store import hashing
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import PREFIX, Digest
from mlops_cli.vcs import ignore as gitignore
from mlops_cli.vcs import lfs
from mlops_cli.vcs.lfs import LfsPointer
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import ignore
from mlops_cli.workspace.pointer import Pointer, write_pointer


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of one file; `source` is where its bytes were found."""

    path: str
    pointer: LfsPointer
    state: Literal["imported", "missing", "corrupt"]
    source: str = ""


def find(git: Git, root: Path, paths: Sequence[str]) -> list[Moved]:
    """Return what would become of each file of git-lfs, by where its bytes seem to be."""
    found = []
    for path, pointer in lfs.pointers(git, list(paths)).items():
        place = next(_places(git, root, path, pointer), None)
        state: Literal["imported", "missing"] = "imported" if place else "missing"
        found.append(Moved(path, pointer, state, os.fspath(place or "")))
    return found


def take(
    git: Git, root: Path, found: Iterable[Moved], *, cache: Cache, progress: Progress = SILENT
) -> list[Moved]:
    """Store the bytes, each hashed whatever its name says; write pointers; let git forget the
    files. What is missing or corrupt stays as it is."""
    ignore.hide(cache.root)
    todo = list(found)
    done: list[Moved] = []
    with progress.task("importing", total=len(todo), unit="files") as task:
        for one in todo:
            done.append(_take(git, root, one, cache))
            task.advance()
    moved = [one for one in done if one.state == "imported"]
    modes = _modes(git, [one.path for one in moved])
    for one in moved:
        place = root / one.path
        pointer = Pointer(
            one.path, Digest(PREFIX + one.pointer.oid), "file", one.pointer.size, 1,
            executable=modes.get(one.path) == "100755",
        )  # fmt: skip
        # before the pointer: a crash between the two must not leave data that `git add .` takes
        gitignore.add_lines(place.parent / ".gitignore", [gitignore.escaped(place.name)])
        write_pointer(root, pointer)
        _unfold(place, one, cache, executable=pointer.executable)
    if moved:
        git.run("rm", "--cached", "-q", "--", *(one.path for one in moved))
    return done


def _take(git: Git, root: Path, one: Moved, cache: Cache) -> Moved:
    digest = Digest(PREFIX + one.pointer.oid)
    with cache.writing() as condemned:
        here = cache.has(digest)
        condemned.rely(digest.raw)
    if here:
        return Moved(one.path, one.pointer, "imported", "the cache")
    damaged = ""
    for place in _places(git, root, one.path, one.pointer):
        with fsio.translated(place):
            if hashing.hash_file(place) != (digest, one.pointer.size):
                damaged = damaged or os.fspath(place)
                continue
        if cache.put_file(place) == digest:
            return Moved(one.path, one.pointer, "imported", os.fspath(place))
    state: Literal["corrupt", "missing"] = "corrupt" if damaged else "missing"
    return Moved(one.path, one.pointer, state, damaged)


def _places(git: Git, root: Path, path: str, pointer: LfsPointer) -> Iterator[Path]:
    for place in (lfs.kept_at(git, pointer), root / path):
        with contextlib.suppress(OSError):
            if place.is_file() and place.stat().st_size == pointer.size:
                yield place


def _modes(git: Git, paths: Sequence[str]) -> Mapping[str, str]:
    if not paths:
        return {}
    rows = git.run("ls-files", "-s", "-z", "--", *paths).split("\0")
    return {row.partition("\t")[2]: row.partition(" ")[0] for row in rows if row}


def _unfold(place: Path, one: Moved, cache: Cache, *, executable: bool) -> None:
    """Put the bytes where the text of git-lfs stood; anything else that is there stays."""
    try:
        text = place.read_bytes() if place.stat().st_size <= lfs.AT_MOST else b""
    except OSError:
        return
    if lfs.parse(text) != one.pointer or place.is_symlink():
        return
    fresh = fsio.temporary_beside(place)
    try:
        cache.copy_to(Digest(PREFIX + one.pointer.oid), fresh)
        fsio.publish(fresh, place, mode=0o755 if executable else 0o644, durable=False)
    finally:
        fresh.unlink(missing_ok=True)
