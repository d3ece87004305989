"""What differs between two trees, walking only the folders whose digests differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mlops_cli.store.digest import PREFIX, Digest
from mlops_cli.store.files.ingest import rows
from mlops_cli.store.files.scan import Folder, Scan
from mlops_cli.store.patch import Shelf
from mlops_cli.store.tree import Entry, Row, parse_rows, write_rows


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs, relative to the trees, with what it was and what it is.

    A folder appears only when it is or was empty; what lies in it appears otherwise.
    """

    path: str
    kind: Literal["added", "modified", "deleted"]
    old: Entry | None
    new: Entry | None


def changes(
    shelf: Shelf,
    old: Digest | None,
    new: Digest | None,
    *,
    limit: int | None = None,
) -> list[Change]:
    """Return what leads from the tree `old` to the tree `new` (None: no tree), sorted by path.

    With `limit`, the walk ends when about so many were found. `Surveyed` is a shelf on which what
    lies in the workspace stands as well.
    Raises as `shelf.read` and `tree.parse_rows` do.
    """

    def rows_of(digest: Digest | None) -> dict[str, Row]:
        if digest is None:
            return {}
        found = (
            shelf.rows(digest) if isinstance(shelf, Surveyed) else parse_rows(shelf.read(digest))
        )
        return {row[0]: row for row in found}

    found: list[Change] = []
    waiting: list[tuple[str, Digest | None, Digest | None]] = [("", old, new)]
    while waiting and (limit is None or len(found) < limit):
        inside, left, right = waiting.pop()
        if left == right:
            continue
        before, after = rows_of(left), rows_of(right)
        for name in before.keys() | after.keys():
            if before.get(name) == after.get(name):
                continue
            was, now = _entry(before.get(name)), _entry(after.get(name))
            path = inside + name
            was_folder, is_folder = _tree_of(was), _tree_of(now)
            if was_folder or is_folder:
                waiting.append((path + "/", was_folder, is_folder))
            gone, come = _shown(was, now), _shown(now, was)
            if gone and come:
                found.append(Change(path, "modified", gone, come))
            elif gone:
                found.append(Change(path, "deleted", gone, None))
            elif come:
                found.append(Change(path, "added", None, come))
    return sorted(found, key=lambda change: change.path)


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The listings of folders as they were found on disk, and behind them those of a shelf.

    A listing is only written when it is asked for: of a hundred thousand files, few have changed.
    """

    behind: Shelf
    folders: Mapping[bytes, Folder]

    @classmethod
    def of(cls, found: Scan, behind: Shelf) -> Surveyed:
        """Return the listings of a survey."""
        return cls(behind, {folder.tree: folder for folder in found.folders if folder.tree})

    def read(self, digest: Digest) -> bytes:
        """Return the listing called `digest`. Raises as the shelf behind does."""
        folder = self.folders.get(digest.raw)
        return self.behind.read(digest) if folder is None else write_rows(rows(folder))

    def rows(self, digest: Digest) -> list[Row]:
        """Return the rows of the listing called `digest`, of a folder in no order."""
        folder = self.folders.get(digest.raw)
        return parse_rows(self.behind.read(digest)) if folder is None else rows(folder)


def _entry(row: Row | None) -> Entry | None:
    if row is None:
        return None
    name, mode, digits, size, files = row
    return Entry(name, mode, Digest(PREFIX + digits), size, files)


def _tree_of(entry: Entry | None) -> Digest | None:
    return entry.digest if entry is not None and entry.mode == "dir" else None


def _shown(entry: Entry | None, other: Entry | None) -> Entry | None:
    """Return `entry` if it shall appear by itself: not a folder, or one that only exists empty."""
    if entry is None or entry.mode != "dir":
        return entry
    empty = entry.files == 0 and (other is None or other.mode != "dir")
    return entry if empty else None
