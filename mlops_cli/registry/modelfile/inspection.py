"""Whether a file may be a model: read, never loaded; refused by name unless all of it is known."""

from __future__ import annotations

import mmap
from collections.abc import Collection
from pathlib import Path

from mlops_cli.errors import IntegrityError, NotFound, StateRefused
from mlops_cli.registry import formats
from mlops_cli.registry.modelfile import onnxfile, tensorfile
from mlops_cli.registry.modelfile.found import Found, Problem
from mlops_cli.registry.modelfile.protobuf import Bytes, Malformed
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest

_CHUNK = 1 << 20
_READERS = {"onnx": onnxfile.read, "safetensors": tensorfile.read}
HINTS = {
    "format-not-allowed": "export it to ONNX (mlops train does) or save the weights as safetensors",
    "custom-domain": "use operators of ONNX, or define them as functions inside the file",
    "external-data": "keep the weights inside the file: onnx.save(model, path)",
    "external-data-outside": "keep the weights inside the file: onnx.save(model, path)",
    "tensor-too-large": "is the file what you think? Give an axis that varies a name, no number",
}
# What a file may be refused for, beside the keys of HINTS: it is not what it begins as
DAMAGE = (
    *("malformed-model", "name-too-long", "header-too-large", "too-deep", "too-large"),
    "too-many-fields",
)
CODES = (*HINTS, *DAMAGE)


def inspect(data: Bytes, *, name: str) -> Found:
    """Return what the bytes of a model file say; `problems` tells why none may be made of it.

    Raises IntegrityError ("malformed-model", "name-too-long", "header-too-large", "too-deep",
    "too-large", "too-many-fields") where they are not what they begin as.
    """
    what = formats.of_bytes(data[:16])
    if what not in _READERS:
        return Found(what, len(data))
    try:
        return _READERS[what](data, len(data))
    except Malformed as exc:
        raise IntegrityError(
            f"{name} is no sound {what} file: {exc.why}",
            code=exc.code,
            hint="export it again; is it a part of a download?",
            details={"file": name, "format": what},
        ) from None


def confined(data: Bytes, *, name: str) -> None:
    """Let bytes be loaded that lean on nothing outside of them, whatever tag led to them.

    onnxruntime reads files in the present folder that a model names, also when it is loaded from
    bytes, and takes all the memory that a shape asks for.
    Raises IntegrityError ("external-data", "tensor-too-large", and what `inspect` raises).
    """
    found = inspect(data, name=name)
    unsafe = {each.code: each.why for each in found.problems if each.code == "tensor-too-large"}
    if found.external:
        unsafe["external-data"] = f"it wants to read {found.external[0]!r}"
    for code, why in unsafe.items():
        raise IntegrityError(f"{name} is not loaded: {why}", code=code, hint=HINTS[code])


def inspect_object(cache: Cache, digest: Digest, *, name: str) -> Found:
    """Return what an object of the cache says, all of its bytes hashed before; one that lies in a
    file of its own never comes into memory as a whole. Raises as `inspect` and `Cache.read`.
    """
    path = cache.objects.path(digest)
    if cache.packs.find(digest.raw) or not path.is_file():
        return inspect(cache.read(digest), name=name)
    with cache.open(digest) as stream:
        while stream.read(_CHUNK):
            pass
    return inspect_file(path, name=name)


def inspect_file(path: Path, *, name: str | None = None) -> Found:
    """Return what the file at `path` says: mapped, so that weights are never read.

    Raises as `inspect`, and NotFound ("no-such-file").
    """
    try:
        with open(path, "rb") as file:
            if not path.stat().st_size:
                return Found(formats.of_bytes(b""), 0)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return inspect(data, name=name or path.name)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as exc:
        raise NotFound(
            f"{path} cannot be read: {exc.strerror}", code="no-such-file", hint="mlops models list"
        ) from None


def judged(found: Found, allowed: Collection[str] = formats.ALLOWED) -> tuple[Problem, ...]:
    """Return why a file may not be a model where `allowed` are the formats; empty: it may."""
    if found.format in allowed:
        return found.problems
    why = f"it is {formats.told(found.format)}"
    return (Problem("format-not-allowed", why),)


def admit(found: Found, allowed: Collection[str] = formats.ALLOWED, *, name: str) -> None:
    """Let a file pass that may be a model. Raises StateRefused with the code of the problem:

    "format-not-allowed", "custom-domain", "external-data", "external-data-outside",
    "tensor-too-large".
    """
    problems = judged(found, allowed)
    if problems:
        first = problems[0]
        raise StateRefused(
            f"{name} may not be registered as a model: {first.why}",
            code=first.code,
            hint=HINTS[first.code],
            details={
                "allowed": sorted(allowed),
                "problems": [{"code": each.code, "why": each.why} for each in problems],
            },
        )
