"""The pointer: `data.mlops` stands in git for the bytes of `data`, which stand in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from mlops_cli import encode, fsio
from mlops_cli.errors import IntegrityError
from mlops_cli.store.digest import Digest

SUFFIX = ".mlops"
SCHEMA = "mlops.pointer/1"

Kind = Literal["file", "tree"]


@dataclass(frozen=True, slots=True)
class Side:
    """What one side of a merge has at a path."""

    digest: Digest
    kind: Kind
    size: int
    files: int
    executable: bool = False
    remote: str | None = None
    pin: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Pointer:
    """What `data.mlops` says. `path` is relative to the project, with forward slashes.

    `size` counts bytes, `files` counts files (1 for a file).
    """

    path: str
    digest: Digest
    kind: Kind
    size: int
    files: int
    executable: bool = False  # of a single file; in a folder, its tree says so
    remote: str | None = None  # where it is kept, where not in the default remote
    push: bool = True
    pin: Mapping[str, Any] | None = None  # where it was imported from, and what was there
    theirs: Side | None = None  # the other side of a merge that nobody has decided yet

    @property
    def file(self) -> str:
        """Return where the pointer itself lives, relative to the project."""
        return self.path + SUFFIX


def is_pointer(path: str) -> bool:
    """Tell whether `path` (relative to the project) is named like a pointer."""
    name = PurePosixPath(path).name
    return name.endswith(SUFFIX) and name != SUFFIX


def encode_pointer(pointer: Pointer) -> str:
    """Return the text of the pointer file: the name beside it, so a folder can be moved whole."""
    value: dict[str, Any] = {"schema": SCHEMA, "path": PurePosixPath(pointer.path).name}
    value |= _side_json(pointer)
    if not pointer.push:
        value["push"] = False
    if pointer.theirs is not None:
        value["theirs"] = _side_json(pointer.theirs)
    return encode.readable_json(value)


def parse_pointer(data: bytes | str, *, file: str) -> Pointer:
    """Return the pointer in `data`, which was read from `file` (relative to the project).

    Unknown fields are ignored. Raises IntegrityError ("malformed-json", "malformed-pointer").
    """
    value = encode.parse_json(data, source=file)
    if not isinstance(value, dict):
        raise _malformed(file, "it is not a JSON object")
    schema = value.get("schema")
    if schema != SCHEMA:
        raise _malformed(file, f"its schema is {schema!r}, and this version reads {SCHEMA!r}")
    name = value.get("path")
    beside = PurePosixPath(file[: -len(SUFFIX)])
    if name != beside.name:
        raise _malformed(file, f"it stands for {name!r}, but is named for {beside.name!r}")
    side = _side(value, file)
    push, theirs = value.get("push", True), value.get("theirs")
    if not isinstance(push, bool):
        raise _malformed(file, f"its push is {push!r}, and must be true or false")
    if not isinstance(theirs, dict | None):
        raise _malformed(file, f"its theirs is {theirs!r}, and must be an object")
    return Pointer(
        path=str(beside),
        digest=side.digest,
        kind=side.kind,
        size=side.size,
        files=side.files,
        executable=side.executable,
        remote=side.remote,
        push=push,
        pin=side.pin,
        theirs=None if theirs is None else _side(theirs, file),
    )


def read_pointer(root: Path, file: str) -> Pointer:
    """Return the pointer in the file `file` of the project at `root`."""
    return parse_pointer((root / file).read_bytes(), file=file)


def write_pointer(root: Path, pointer: Pointer) -> bool:
    """Write the pointer beside its data; return False when it already said so."""
    target, text = root / pointer.file, encode_pointer(pointer)
    try:
        if target.read_bytes() == text.encode():
            return False
    except FileNotFoundError:
        pass
    fsio.write_atomic(target, text)
    return True


def _side_json(side: Pointer | Side) -> dict[str, Any]:
    value: dict[str, Any] = {
        "digest": side.digest,
        "kind": side.kind,
        "size": side.size,
        "files": side.files,
    }
    if side.executable:
        value["mode"] = "exec"
    if side.remote is not None:
        value["remote"] = side.remote
    if side.pin is not None:
        value["source"] = dict(side.pin)
    return value


def _side(value: dict[str, Any], file: str) -> Side:
    kind = value.get("kind")
    if kind not in ("file", "tree"):
        raise _malformed(file, f"its kind is {kind!r}, and must be 'file' or 'tree'")
    mode, remote, pin = value.get("mode", "file"), value.get("remote"), value.get("source")
    if mode not in ("file", "exec"):
        raise _malformed(file, f"its mode is {mode!r}, and must be 'file' or 'exec'")
    if not isinstance(remote, str | None) or remote == "":
        raise _malformed(file, f"its remote is {remote!r}, and must be a name")
    if not isinstance(pin, dict | None):
        raise _malformed(file, f"its source is {pin!r}, and must be an object")
    return Side(
        Digest.parse(str(value.get("digest"))),
        kind,
        _count(value, "size", file),
        _count(value, "files", file),
        mode == "exec" and kind == "file",
        remote,
        pin,
    )


def _count(value: dict[str, Any], field: str, file: str) -> int:
    number = value.get(field)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise _malformed(file, f"its {field} is {number!r}, and must be a count")
    return number


def _malformed(file: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"{file} is not a pointer: {why}",
        code="malformed-pointer",
        hint=f"restore it with `git checkout -- {file}`, or `mlops add {file[: -len(SUFFIX)]}`",
        details={"file": file},
    )
