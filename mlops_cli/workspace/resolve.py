"""Undecided files decided: merged once more where git could not, or as a person says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mlops_cli import fsio
from mlops_cli.errors import MlopsError, NotFound, UsageError
from mlops_cli.store.merge import beside, merge_trees
from mlops_cli.store.patch import find, patch
from mlops_cli.vcs import ignore as gitignore
from mlops_cli.vcs.repo import Git
from mlops_cli.vcs.unmerged import contents, decide
from mlops_cli.workspace.conflicts import Conflict
from mlops_cli.workspace.merge import merge_file, take, undecided
from mlops_cli.workspace.merge_shelf import MergeShelf
from mlops_cli.workspace.pointer import (
    SUFFIX,
    Pointer,
    Side,
    encode_pointer,
    parse_pointer,
)

Choice = Literal["ours", "theirs", "both"]


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one file: its bytes, None where it is to go; `left` is still undecided."""

    file: str
    data: bytes | None
    left: tuple[str, ...] = ()
    note: str = ""


def again(root: Path, git: Git, conflict: Conflict, shelf: MergeShelf) -> Decided:
    """Return the file merged from what git kept of it, or as somebody has decided it since.

    What was decided in part stays so. Raises as `merge_file` does.
    """
    data = _present(root, conflict.file)
    if conflict.stages is None or conflict.state in ("ours", "theirs"):
        return Decided(conflict.file, data, (conflict.name,))
    base, ours, theirs = contents(git, conflict.stages)
    assert ours is not None and theirs is not None  # else the state says so
    if conflict.state == "both" and data not in (None, ours):
        if not undecided(conflict.file, data or b""):
            return Decided(conflict.file, data)
        if not _as_git_left_it(conflict, data or b"", ours, theirs):
            return Decided(conflict.file, data, (conflict.name,))
    found = merge_file(conflict.file, base, ours, theirs, shelf=shelf)
    return Decided(conflict.file, found.data, found.conflicts, found.note)


def choose(
    root: Path,
    git: Git,
    conflict: Conflict,
    choice: Choice,
    shelf: MergeShelf,
    inside: Sequence[str] = (),
) -> list[Decided]:
    """Return what becomes of the file, and of one beside it, when `choice` decides the conflict.

    `inside` narrows it to files in a tracked folder. Raises UsageError ("one-side-only"),
    NotFound ("no-conflict") and as `merge_file` does.
    """
    file = conflict.file
    if conflict.state in ("ours", "theirs"):
        assert conflict.stages is not None
        _, ours, theirs = contents(git, conflict.stages)
        kept = {"ours": ours, "theirs": theirs, "both": ours or theirs}[choice]
        return [Decided(file, kept)]
    if choice == "both" and conflict.kind != "pointer":
        raise UsageError(
            f"there is one {file}, and it cannot be both",
            code="one-side-only",
            hint=conflict.mend,
        )
    found = again(root, git, conflict, shelf)
    data = found.data or b""
    if not found.left:
        return [Decided(file, data)]
    if conflict.kind == "pointer" and inside:
        return [_in_part(file, data, choice, shelf, inside)]
    if choice == "both":
        return _both(root, file, parse_pointer(data, file=file), shelf)
    return [Decided(file, take(file, data, choice))]


def carry_out(root: Path, git: Git, decided: Sequence[Decided]) -> None:
    """Write what was decided, and stage what is so to the end."""
    for one in decided:
        if one.data is None:
            continue
        if _present(root, one.file) != one.data:
            fsio.write_atomic(root / one.file, one.data)
    done = [one for one in decided if not one.left]
    decide(
        git,
        [one.file for one in done if one.data is not None],
        [one.file for one in done if one.data is None],
    )


def _in_part(
    file: str, data: bytes, choice: Choice, shelf: MergeShelf, inside: Sequence[str]
) -> Decided:
    """Decide single files of a folder: each of the two trees takes them over from the other."""
    pointer = parse_pointer(data, file=file)
    side = pointer.theirs
    if side is None or (pointer.kind, side.kind) != ("tree", "tree"):
        raise _no_conflict(f"{pointer.path}/{inside[0]}")
    ours, theirs = pointer.digest, side.digest
    mine, others = {}, {}
    for path in inside:
        left, right = (find(shelf.shelf, tree, path) for tree in (ours, theirs))
        if left == right:
            raise _no_conflict(f"{pointer.path}/{path}")
        if choice == "theirs" or left is None:
            mine[path] = right
        else:
            others[path] = left
        if choice == "both" and left is not None and right is not None:
            folder, slash, name = path.rpartition("/")
            aside = folder + slash + beside(name, ())
            mine[aside] = others[aside] = right
    new = [patch(shelf.shelf, ours, mine), patch(shelf.shelf, theirs, others)]
    shelf.keep_all(one.listings for one in new)
    digest, size, files = new[0].digest, new[0].size, new[0].files
    pointer = replace(pointer, digest=digest, size=size, files=files)
    side = replace(side, digest=new[1].digest, size=new[1].size, files=new[1].files)
    if side == Side(digest, "tree", size, files, False, pointer.remote, pointer.pin):
        return Decided(file, encode_pointer(replace(pointer, theirs=None)).encode())
    text = encode_pointer(replace(pointer, theirs=side))
    return Decided(file, text.encode(), (pointer.path,))


def _both(root: Path, file: str, pointer: Pointer, shelf: MergeShelf) -> list[Decided]:
    """Keep both: in a folder file beside file, else as a second tracked path."""
    side = pointer.theirs
    assert side is not None
    if pointer.kind == side.kind == "tree":
        merged = merge_trees(None, pointer.digest, side.digest, read=shelf.read, both=True)
        shelf.keep(merged.trees)
        tree = merged.ours
        whole = replace(pointer, digest=tree.digest, size=tree.size, files=tree.files, theirs=None)
        return [Decided(file, encode_pointer(whole).encode())]
    place = root / pointer.path
    taken = {path.name.removesuffix(SUFFIX) for path in place.parent.glob("*")}
    name = beside(place.name, taken)
    path = pointer.path[: -len(place.name)] + name
    other = replace(_other(pointer), path=path)
    gitignore.add_lines(place.parent / ".gitignore", [gitignore.escaped(name)])
    return [
        Decided(file, take(file, encode_pointer(pointer).encode(), "ours")),
        Decided(other.file, encode_pointer(other).encode()),
    ]


def _other(pointer: Pointer) -> Pointer:
    """Return the other side of an undecided pointer as a pointer."""
    text = take(pointer.file, encode_pointer(pointer).encode(), "theirs")
    return parse_pointer(text, file=pointer.file)


def _as_git_left_it(conflict: Conflict, data: bytes, ours: bytes, theirs: bytes) -> bool:
    """Tell whether the pointer still holds both sides whole, as when listings were missing."""
    if conflict.kind != "pointer":
        return False
    try:
        now = parse_pointer(data, file=conflict.file)
        left, right = (parse_pointer(one, file=conflict.file) for one in (ours, theirs))
    except MlopsError:
        return False
    return now.theirs is not None and (now.digest, now.theirs.digest) == (
        left.digest,
        right.digest,
    )


def _present(root: Path, file: str) -> bytes | None:
    try:
        return (root / file).read_bytes()
    except FileNotFoundError:
        return None


def _no_conflict(path: str) -> NotFound:
    return NotFound(
        f"nothing is undecided at {path}",
        code="no-conflict",
        hint="mlops merge lists what is",
        details={"path": path},
    )
