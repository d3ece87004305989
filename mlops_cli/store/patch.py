"""A tree of which some paths change: only the listings on the way to them are read and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mlops_cli.errors import StateRefused
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import Entry, parse_tree, totals, write_tree


class Shelf(Protocol):
    """Where listings come from: a cache, or a cache with a remote behind it."""

    def read(self, digest: Digest) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Patched:
    """The new tree, and the bytes of every listing that is not as it was, innermost first."""

    digest: Digest
    size: int
    files: int
    listings: tuple[bytes, ...]


def find(shelf: Shelf, tree: Digest, path: str) -> Entry | None:
    """Return the entry at `path` in `tree`, or None; reads one listing a level."""
    return find_all(shelf, tree, [path]).get(path)


def find_all(shelf: Shelf, tree: Digest, paths: Iterable[str]) -> dict[str, Entry]:
    """Return the entry at each of `paths` in `tree` at which there is one; a listing on the way
    to several is read once."""
    folders: dict[str, dict[str, Entry]] = {}

    def inside(folder: str, digest: Digest) -> dict[str, Entry]:
        if folder not in folders:
            folders[folder] = {entry.name: entry for entry in parse_tree(shelf.read(digest))}
        return folders[folder]

    found: dict[str, Entry] = {}
    for path in paths:
        here: Entry | None = Entry("", "dir", tree, 0)
        folder = ""
        for part in path.split("/"):
            if here is None or here.mode != "dir":
                here = None
                break
            here = inside(folder, here.digest).get(part)
            folder += part + "/"
        if here is not None:
            found[path] = here
    return found


def patch(shelf: Shelf, tree: Digest, changes: Mapping[str, Entry | None]) -> Patched:
    """Return `tree` with an entry put at each path of `changes`, or taken away where it is None.

    An entry is called as its path says, whatever its own name. Folders on the way are made where
    something is put into them, also in the place of a file; a folder that loses all that is in it
    stays, empty, as it does on a disk. No path may lie inside another one.
    Raises StateRefused ("reserved-name", "inside-another") and what `read` raises.
    """
    wanted: dict[str, dict[str, Entry | None]] = {"": {}}
    for path, entry in changes.items():
        *outer, name = path.split("/")
        folder = ""
        for part in outer:
            wanted[folder].setdefault(part, None)
            folder += part + "/"
            wanted.setdefault(folder, {})
        wanted[folder][name] = None if entry is None else entry._replace(name=name)
    if nested := wanted.keys() & {f"{path}/" for path in changes}:
        raise StateRefused(
            f"{min(nested)} is changed as a whole and in part",
            code="inside-another",
            hint="name one of them",
        )
    present = _open(shelf, tree, wanted)
    listings: list[bytes] = []
    for folder in sorted(wanted, key=lambda path: path.count("/"), reverse=True):
        entries = present.get(folder, {})
        for name, put in wanted[folder].items():
            if put is not None:
                entries[name] = put
            else:
                entries.pop(name, None)
        above, name = _above(folder)
        if not entries and folder not in present:
            del wanted[above][name]  # nothing is there that could be taken away
            continue
        data = write_tree(entries.values())
        size, files = totals(entries.values())
        listings.append(data)
        if folder:
            wanted[above][name] = Entry(name, "dir", Digest.of(data), size, files)
    return Patched(Digest.of(data), size, files, tuple(listings))


def _open(
    shelf: Shelf, tree: Digest, wanted: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, Entry]]:
    """Return what is in each folder that changes, by name, but for those that are new."""
    top = {entry.name: entry for entry in parse_tree(shelf.read(tree))}
    present: dict[str, dict[str, Entry]] = {"": top}
    for folder in sorted(wanted, key=lambda path: path.count("/")):
        if not folder:
            continue
        above, name = _above(folder)
        former = present.get(above, {}).get(name)
        if former is not None and former.mode == "dir":
            listing = parse_tree(shelf.read(former.digest))
            present[folder] = {entry.name: entry for entry in listing}
    return present


def _above(folder: str) -> tuple[str, str]:
    """Return the folder in which `folder` ("a/b/") lies ("a/", or "" at the top), and its name."""
    outer, _, name = folder[:-1].rpartition("/")
    return (outer + "/" if outer else ""), name
