"""Entries of a tree looked up and exchanged: only the folders on their way are written anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import Entry, parse_tree, totals, write_tree


class Shelf(Protocol):
    """Where listings are read from: the cache, or what also asks the remote."""

    def read(self, digest: Digest, /) -> bytes:
        """Return the bytes of a listing."""
        ...


@dataclass(frozen=True, slots=True)
class Grafted:
    """The tree that came out, and the listings in it that are new."""

    digest: Digest
    size: int
    files: int
    listings: tuple[bytes, ...]


def find(shelf: Shelf, tree: Digest, path: str) -> Entry | None:
    """Return the entry at `path` in `tree`, None where nothing is."""
    found: Entry | None = None
    at: Digest | None = tree
    for part in path.split("/"):
        if at is None:
            return None
        found = _entries(shelf, at).get(part)
        at = found.digest if found is not None and found.mode == "dir" else None
    return found


def graft(shelf: Shelf, tree: Digest, put: Mapping[str, Entry | None]) -> Grafted:
    """Return `tree` with the entries of `put` at their paths; None takes away what is there.

    The name of an entry is that of its path. Folders on the way are made where something is put,
    and a file that stands where one has to be gives way; a folder that loses its last entry
    stays, empty.
    """
    entries = _entries(shelf, tree)
    listings: list[bytes] = []
    below: dict[str, dict[str, Entry | None]] = {}
    for path, entry in put.items():
        head, slash, rest = path.partition("/")
        if slash:
            below.setdefault(head, {})[rest] = entry
        elif entry is None:
            entries.pop(head, None)
        else:
            entries[head] = entry._replace(name=head)
    for name, inner in below.items():
        former = entries.get(name)
        if former is not None and former.mode == "dir":
            made = graft(shelf, former.digest, inner)
        elif any(inner.values()):
            made = graft(_Nothing(), EMPTY, inner)
        else:
            continue  # nothing is there that could be taken away
        listings += made.listings
        entries[name] = Entry(name, "dir", made.digest, made.size, made.files)
    data = write_tree(entries.values())
    return Grafted(Digest.of(data), *totals(entries.values()), (*listings, data))


class _Nothing:
    def read(self, digest: Digest, /) -> bytes:  # noqa: ARG002
        return write_tree(())


EMPTY = Digest.of(write_tree(()))


def _entries(shelf: Shelf, digest: Digest) -> dict[str, Entry]:
    return {entry.name: entry for entry in parse_tree(shelf.read(digest))}
