"""Three-way merge of trees, entry by entry, opening only folders that differ on all sides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import Entry, parse_tree, totals, write_tree

BESIDE = ".theirs"  # under which name the other side's file stands where both are kept
LONGEST = 240  # bytes of a name that are left of it then; no disk takes more than 255

Read = Callable[[set[Digest]], Mapping[Digest, bytes]]


@dataclass(frozen=True, slots=True)
class Built:
    """A whole tree: its digest, and the bytes and files below it."""

    digest: Digest
    size: int
    files: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """A path, relative to the trees, that both sides changed; None where a side has nothing."""

    path: str
    ours: Entry | None
    theirs: Entry | None


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged tree. It exists twice: with our side of each conflict, and with theirs; without
    a conflict both are the same. `trees` are the listings that may be new."""

    ours: Built
    theirs: Built
    conflicts: tuple[Conflict, ...]
    trees: Mapping[Digest, bytes]


@dataclass(slots=True)
class _Folder:
    path: str
    base: Digest | None
    ours: Digest | None
    theirs: Digest | None
    settled: list[tuple[Entry | None, Entry | None]] = field(default_factory=list)
    below: dict[str, _Folder] = field(default_factory=dict)
    built: tuple[Built | None, Built | None] = (None, None)


def merge_trees(
    base: Digest | None, ours: Digest, theirs: Digest, *, read: Read, both: bool = False
) -> Merged:
    """Return what comes of `base` when the changes of both sides are made to it.

    What only one side changed is taken, what both changed alike too; all else is a conflict. Of
    a file, bytes and executable bit are looked at apart. With `both`, a conflict is settled by
    keeping theirs beside ours as `name.theirs`. `read` gives many listings at a time, so that it
    may fetch them; it and `parse_tree` raise. Cost grows with what changed.
    """
    top = _Folder("", base, ours, theirs)
    folders, level, conflicts = list[_Folder](), [top], list[Conflict]()
    while level:
        wanted = {side for one in level for side in (one.base, one.ours, one.theirs) if side}
        listings = read(wanted)
        for folder in level:
            _settle(folder, listings, conflicts, both=both)
        folders += level
        level = [inner for folder in level for inner in folder.below.values()]
    trees: dict[Digest, bytes] = {}
    for folder in reversed(folders):
        folder.built = (_build(folder, 0, trees), _build(folder, 1, trees))
    left, right = top.built
    assert left is not None and right is not None  # the top is on both sides
    ordered = tuple(sorted(conflicts, key=lambda one: one.path))
    return Merged(left, right, ordered, trees)


def beside(name: str, taken: Collection[str]) -> str:
    """Return the name under which theirs stands beside `name`: one that is not in `taken`."""
    stem, number = name.encode()[:LONGEST].decode(errors="ignore"), 1
    while (free := f"{stem}{BESIDE}{number if number > 1 else ''}") in taken:
        number += 1
    return free


def _settle(
    folder: _Folder, listings: Mapping[Digest, bytes], conflicts: list[Conflict], *, both: bool
) -> None:
    def entries(digest: Digest | None) -> dict[str, Entry]:
        return {} if digest is None else {e.name: e for e in parse_tree(listings[digest])}

    base, ours, theirs = entries(folder.base), entries(folder.ours), entries(folder.theirs)
    for name in ours.keys() | theirs.keys():
        was, left, right = base.get(name), ours.get(name), theirs.get(name)
        found = _chosen(was, left, right)
        if found is not None:
            folder.settled.append((found[0], found[0]))
            continue
        path = f"{folder.path}{name}"
        if _both_folders(was, left, right):
            folder.below[name] = _Folder(path + "/", _tree(was), _tree(left), _tree(right))
            continue
        if both and left is not None and right is not None:
            aside = right._replace(name=beside(name, ours.keys() | theirs.keys()))
            folder.settled.append((left, left))
            folder.settled.append((aside, aside))
        elif both:
            folder.settled.append((left or right,) * 2)
        else:
            conflicts.append(Conflict(path, left, right))
            folder.settled.append((left, right))


def _chosen(
    was: Entry | None, left: Entry | None, right: Entry | None
) -> tuple[Entry | None] | None:
    """Return the one outcome (which may be: nothing) that no side contradicts, else None."""
    if right in (left, was):
        return (left,)
    if was == left:
        return (right,)
    plain = ("file", "exec")
    if was and left and right and all(one.mode in plain for one in (was, left, right)):
        mode = right.mode if left.mode == was.mode else left.mode
        if right.digest in (was.digest, left.digest):
            return (left._replace(mode=mode),)
        if was.digest == left.digest:
            return (right._replace(mode=mode),)
    return None


def _both_folders(was: Entry | None, left: Entry | None, right: Entry | None) -> bool:
    """Tell whether to look inside: folders on both sides, or one that a side took away."""
    sides = [one for one in (left, right) if one is not None]
    if any(one.mode != "dir" for one in sides):
        return False
    return len(sides) == 2 or (was is not None and was.mode == "dir")


def _build(folder: _Folder, side: int, trees: dict[Digest, bytes]) -> Built | None:
    entries = [pair[side] for pair in folder.settled]
    for name, inner in folder.below.items():
        if (built := inner.built[side]) is not None:
            entries.append(Entry(name, "dir", built.digest, built.size, built.files))
    kept = [entry for entry in entries if entry is not None]
    if not kept and folder.path and None in (folder.ours, folder.theirs):
        return None  # one side removed the folder, and nothing of the other has to stay
    data = write_tree(kept)
    digest = Digest.of(data)
    trees[digest] = data
    return Built(digest, *totals(kept))


def _tree(entry: Entry | None) -> Digest | None:
    return entry.digest if entry is not None and entry.mode == "dir" else None
