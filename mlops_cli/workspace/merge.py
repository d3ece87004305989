"""Three-way merge of the files that stand for data: pointers, locks, environments.

Every merge makes two versions of the file: with our side of each conflict, and with theirs. Are
they the same, there is no conflict; else the file holds ours, valid as it is, and `theirs` beside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Literal

from mlops_cli import encode
from mlops_cli.errors import IntegrityError, MlopsError
from mlops_cli.workspace import merge_environment
from mlops_cli.workspace.merge_pointer import merge_pointer
from mlops_cli.workspace.merge_shelf import MergeShelf
from mlops_cli.workspace.merge_values import MISSING, merge_values, pick, refuse_undecided
from mlops_cli.workspace.pointer import SUFFIX, Pointer, encode_pointer, is_pointer, parse_pointer

THEIRS = "theirs"

FileKind = Literal["pointer", "lock", "environment"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The merged file, and what in it is undecided: paths of data, or fields."""

    data: bytes
    conflicts: tuple[str, ...] = ()
    note: str = ""  # why a folder could not be merged file by file

    @property
    def clean(self) -> bool:
        """Tell whether nothing is left to decide."""
        return not self.conflicts


def kind_of(path: str) -> FileKind | None:
    """Return what the file at `path` is, None for one that is not merged here."""
    parts = PurePosixPath(path).parts
    if is_pointer(path):
        return "pointer"
    if path.endswith(".json") and parts[:2] == (".mlops", "lock") and len(parts) == 3:
        return "lock"
    if path.endswith(".yaml") and parts[:1] == ("environments",) and len(parts) == 2:
        return "environment"
    return None


def merge_file(
    path: str, base: bytes | None, ours: bytes, theirs: bytes, *, shelf: MergeShelf
) -> Outcome:
    """Return the file at `path` when both sides' changes to `base` (None: there was none) meet.

    `shelf` has the listings of folders that both sides changed. Raises IntegrityError for a
    side that is no such file, StateRefused ("undecided") for one that has a conflict in it.
    """
    kind = kind_of(path)
    if kind == "pointer":
        return _pointers(path, base, ours, theirs, shelf)
    if kind == "lock":
        return _locks(path, base, ours, theirs)
    data, fields = merge_environment.merge(path, base, ours, theirs)
    return Outcome(data, fields)


def undecided(path: str, data: bytes) -> bool:
    """Tell whether the file holds a conflict; one that does not parse holds none."""
    if b"theirs" not in data:
        return False
    if kind_of(path) == "environment":
        return merge_environment.undecided(data)
    try:
        value = json.loads(data)
    except ValueError:
        return False
    return isinstance(value, dict) and isinstance(value.get(THEIRS), dict)


def take(path: str, data: bytes, side: Literal["ours", "theirs"]) -> bytes:
    """Return the file at `path`, which holds a conflict, with the conflict decided."""
    kind = kind_of(path)
    if kind == "environment":
        return merge_environment.take(data, side)
    if kind == "pointer":
        pointer = parse_pointer(data, file=path)
        if side == "theirs" and (other := pointer.theirs) is not None:
            pointer = replace(
                pointer,
                digest=other.digest,
                kind=other.kind,
                size=other.size,
                files=other.files,
                executable=other.executable,
                remote=other.remote,
                pin=other.pin,
            )
        return encode_pointer(replace(pointer, theirs=None)).encode()
    value = encode.parse_json(data, source=path)
    other = value.pop(THEIRS)
    return encode.readable_json(other if side == "theirs" else value).encode()


def _pointers(
    path: str, base: bytes | None, ours: bytes, theirs: bytes, shelf: MergeShelf
) -> Outcome:
    former = None
    if base:
        try:
            former = _pointer(path, base)
        except MlopsError:
            pass  # git merged two merge bases as text: then what both sides have counts
    left, right = _pointer(path, ours), _pointer(path, theirs)
    if former is not None:
        former = replace(former, theirs=None)
    if right in (left, former):
        return Outcome(_renamed(path, ours, left))
    if former == left:
        return Outcome(_renamed(path, theirs, right))
    refuse_undecided(path, left.theirs, right.theirs)
    merged, conflicts, note = merge_pointer(former, left, right, shelf)
    return Outcome(encode_pointer(merged).encode(), conflicts, note)


def _pointer(path: str, data: bytes) -> Pointer:
    """Return the pointer of one side, which may have had another name before a rename."""
    name = encode.parse_json(data, source=path)
    name = name.get("path") if isinstance(name, dict) else None
    if not isinstance(name, str) or "/" in name:
        return parse_pointer(data, file=path)  # says what is wrong with it
    beside = PurePosixPath(path).with_name(name + SUFFIX)
    return replace(parse_pointer(data, file=str(beside)), path=path[: -len(SUFFIX)])


def _renamed(path: str, data: bytes, pointer: Pointer) -> bytes:
    if encode.parse_json(data, source=path)["path"] == PurePosixPath(pointer.path).name:
        return data  # fields of a later version stay in it
    return encode_pointer(pointer).encode()


def _locks(path: str, base: bytes | None, ours: bytes, theirs: bytes) -> Outcome:
    left, right = _lock(path, ours), _lock(path, theirs)
    try:
        former = _lock(path, base) if base else None
    except IntegrityError:
        former = None
    if former is not None:
        former.pop(THEIRS, None)  # git merged two merge bases, which were in conflict
    found = pick(_made(former), _made(left), _made(right))
    if found is None:
        refuse_undecided(path, left.get(THEIRS), right.get(THEIRS))
        text = encode.readable_json(left | {THEIRS: right})
        return Outcome(text.encode(), (str(left.get("step", PurePosixPath(path).stem)),))
    if _made(left) != _made(right):
        return Outcome(ours if found[0] == _made(left) else theirs)
    # the same work with the same outcome: times and the like are no reason to ask anybody
    merged, _, _ = merge_values(former or {}, left, right)
    return Outcome(encode.readable_json(merged).encode())


def _lock(path: str, data: bytes) -> dict[str, Any]:
    value = encode.parse_json(data, source=path)
    if not isinstance(value, dict):
        raise IntegrityError(
            f"{path} is not a lock: it is not a JSON object",
            code="malformed-lock",
            hint=f"restore it with `git checkout -- {path}`, or run the step again",
            details={"file": path},
        )
    return value


def _made(lock: Mapping[str, Any] | None) -> Any:
    """Return what a lock is about: what went into the step, and what came out."""
    return MISSING if lock is None else [lock.get(name) for name in ("key", "outputs", THEIRS)]
