"""Three-way merge of pointers: their fields, and the folders that they stand for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlops_cli.errors import IntegrityError, NotFound, OutsideWorld
from mlops_cli.store.merge import Merged, merge_trees
from mlops_cli.workspace.merge_shelf import MergeShelf
from mlops_cli.workspace.merge_values import MISSING, pick
from mlops_cli.workspace.pointer import Pointer, Side


def merge_pointer(
    base: Pointer | None, ours: Pointer, theirs: Pointer, shelf: MergeShelf
) -> tuple[Pointer, tuple[str, ...], str]:
    """Return the pointer, the paths (or fields) in conflict, and why a folder could not be merged
    file by file, "" where that was not so.

    Two folders are merged as `merge_trees` does: `theirs` is then the merged folder with their
    side of each conflict, so that both differ in nothing but the files in conflict.
    """
    conflicts: list[str] = []
    note = ""
    left, right = ours, theirs
    content = pick(_content(base), _content(ours), _content(theirs))
    if content is not None:
        left, right = _with(left, content[0]), _with(right, content[0])
    elif ours.kind == theirs.kind == "tree":
        former = base.digest if base is not None and base.kind == "tree" else None
        try:
            merged = merge_trees(former, ours.digest, theirs.digest, read=shelf.read)
        except (NotFound, IntegrityError, OutsideWorld) as exc:
            note = exc.message
            conflicts.append(ours.path)
        else:
            shelf.keep(merged.trees)
            conflicts += [f"{ours.path}/{one.path}" for one in merged.conflicts]
            left, right = _built(left, merged, 0), _built(right, merged, 1)
    else:
        conflicts.append(ours.path)
    fields: dict[str, Any] = {}
    names = {"executable": False, "remote": None, "push": True, "pin": None}
    if content is None and left.kind == "file":
        del names["pin"]  # it tells where just these bytes came from
    for name, default in names.items():
        was = default if base is None else getattr(base, name)
        found = pick(was, getattr(ours, name), getattr(theirs, name))
        if found is None:
            conflicts += [] if conflicts else [f"{ours.path} ({name})"]
        else:
            fields[name] = found[0]
    left, right = replace(left, **fields), replace(right, **fields)
    if not conflicts:
        return replace(left, theirs=None), (), ""
    side = Side(
        right.digest,
        right.kind,
        right.size,
        right.files,
        right.executable,
        right.remote,
        right.pin,
    )
    return replace(left, theirs=side), tuple(conflicts), note


def _content(pointer: Pointer | None) -> Any:
    if pointer is None:
        return MISSING
    return (pointer.digest, pointer.kind, pointer.size, pointer.files)


def _with(pointer: Pointer, content: Any) -> Pointer:
    digest, kind, size, files = content
    return replace(pointer, digest=digest, kind=kind, size=size, files=files)


def _built(pointer: Pointer, merged: Merged, side: int) -> Pointer:
    tree = (merged.ours, merged.theirs)[side]
    return _with(pointer, (tree.digest, "tree", tree.size, tree.files))
