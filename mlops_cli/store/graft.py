"""One entry of a tree looked up, or exchanged: only the folders on its path are written anew."""

from __future__ import annotations

from pathlib import PurePosixPath

from mlops_cli.store.digest import Digest
from mlops_cli.store.merge import Built, Read
from mlops_cli.store.tree import Entry, parse_tree, totals, write_tree


def entry_at(tree: Digest, path: str, *, read: Read) -> Entry | None:
    """Return the entry at `path` in `tree`, None where nothing is."""
    found: Entry | None = None
    at: Digest | None = tree
    for part in PurePosixPath(path).parts:
        if at is None:
            return None
        found = _entries(at, read).get(part)
        at = found.digest if found is not None and found.mode == "dir" else None
    return found


def graft(
    tree: Digest, path: str, entry: Entry | None, *, read: Read
) -> tuple[Built, dict[Digest, bytes]]:
    """Return `tree` with `entry` at `path` (None: with nothing there), and the new listings.

    Folders on the way are made; one that stands where a file is takes its place.
    """
    *folders, name = PurePosixPath(path).parts
    way: list[dict[str, Entry]] = [_entries(tree, read)]
    for part in folders:
        inner = way[-1].get(part)
        is_folder = inner is not None and inner.mode == "dir"
        way.append(_entries(inner.digest, read) if inner is not None and is_folder else {})
    way[-1].pop(name, None)
    if entry is not None:
        way[-1][name] = entry._replace(name=name)
    trees: dict[Digest, bytes] = {}
    for level in range(len(way) - 1, -1, -1):
        data = write_tree(way[level].values())
        built = Built(Digest.of(data), *totals(way[level].values()))
        trees[built.digest] = data
        if level:
            part = folders[level - 1]
            way[level - 1][part] = Entry(part, "dir", built.digest, built.size, built.files)
    return built, trees


def _entries(digest: Digest, read: Read) -> dict[str, Entry]:
    return {entry.name: entry for entry in parse_tree(read({digest})[digest])}
