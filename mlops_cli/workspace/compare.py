"""What differs between two moments: a revision and the workspace, or two revisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.compare import Surveyed, changes
from mlops_cli.store.files.ingest import total
from mlops_cli.store.patch import Shelf
from mlops_cli.store.statcache import StatCache
from mlops_cli.store.tree import Entry
from mlops_cli.workspace.state import look
from mlops_cli.workspace.track import executable
from mlops_cli.workspace.tracked import Tracked

Kind = Literal["added", "modified", "deleted", "renamed"]


@dataclass(frozen=True, slots=True)
class Side:
    """What a path was or is."""

    digest: Digest
    size: int
    executable: bool = False


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs, with its path in the project; one that was renamed has a former
    path."""

    path: str
    kind: Kind
    old: Side | None
    new: Side | None
    former: str | None = None


@dataclass(frozen=True, slots=True)
class DataChange:
    """One tracked path that differs, and the files in it; `files` is None when the cache lacks
    the listings that would tell."""

    path: str
    kind: Kind
    old: Side | None
    new: Side | None
    files: tuple[FileChange, ...] | None
    former: str | None = None


def against_workspace(
    root: Path,
    old: Sequence[Tracked],
    now: Sequence[Tracked],
    *,
    cache: Cache,
    stats: StatCache,
    progress: Progress = SILENT,
) -> list[DataChange]:
    """Return what leads from `old` (tracked at a revision) to the bytes in the workspace now.

    Looked at are the paths that are tracked on either side; a path whose bytes are not in the
    workspace counts as deleted.
    """
    was = {one.path: one for one in old}
    found: list[DataChange] = []
    for path in sorted(was.keys() | {one.path for one in now}):
        seen = look(root, path, cache=cache, stats=stats, progress=progress)
        before, new, shelf = was.get(path), None, None
        if seen is not None:
            stored, shelf = total(seen), Surveyed.of(seen, cache)
            new = Tracked(path, stored.digest, stored.kind, stored.size, stored.files, path)
            if before is not None and before.step is not None:
                new = replace(new, executable=before.executable)  # of an output it is not known
            elif stored.kind == "file":
                new = replace(new, executable=executable(root / path))
        found += _change(path, before, new, shelf or cache)
    return found


def between(old: Sequence[Tracked], new: Sequence[Tracked], *, cache: Cache) -> list[DataChange]:
    """Return what leads from what was tracked to what is tracked, without the workspace."""
    was = {one.path: one for one in old}
    now = {one.path: one for one in new}
    found: list[DataChange] = []
    for path in sorted(was.keys() | now.keys()):
        found += _change(path, was.get(path), now.get(path), cache)
    return found


def _change(path: str, old: Tracked | None, new: Tracked | None, shelf: Shelf) -> list[DataChange]:
    if old == new or (old and new and _looks(old) == _looks(new)):
        return []
    kind: Kind = "added" if old is None else "deleted" if new is None else "modified"
    return [DataChange(path, kind, _side(old), _side(new), _files(path, old, new, shelf))]


def _files(
    path: str, old: Tracked | None, new: Tracked | None, shelf: Shelf
) -> tuple[FileChange, ...] | None:
    was, now = _tree(old), _tree(new)
    found: list[FileChange] = []
    before = _side(old) if old and was is None else None
    after = _side(new) if new and now is None else None
    if before or after:
        kind: Kind = "modified" if before and after else "deleted" if before else "added"
        found.append(FileChange(path, kind, before, after))
    if was or now:
        try:
            differing = changes(shelf, was, now)
        except (NotFound, IntegrityError):
            return None
        for change in differing:
            left, right = _entry(change.old), _entry(change.new)
            found.append(FileChange(f"{path}/{change.path}", change.kind, left, right))
    return tuple(found)


def _tree(one: Tracked | None) -> Digest | None:
    return one.digest if one is not None and one.kind == "tree" else None


def _side(one: Tracked | None) -> Side | None:
    return Side(one.digest, one.size, one.executable) if one is not None else None


def _entry(one: Entry | None) -> Side | None:
    return Side(one.digest, one.size, one.mode == "exec") if one is not None else None


def _looks(one: Tracked) -> tuple[object, ...]:
    return one.digest, one.kind, one.executable
