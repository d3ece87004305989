"""Tensors of an ONNX file: those it stores, their numbers stepped over, and those it declares."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from mlops_cli.registry.modelfile.found import MOST_ELEMENTS, Tensor
from mlops_cli.registry.modelfile.protobuf import LENGTH, VARINT, Malformed, Reader, signed

TYPES = {
    **{1: "FP32", 2: "UINT8", 3: "INT8", 4: "UINT16", 5: "INT16", 6: "INT32", 7: "INT64"},
    **{8: "BYTES", 9: "BOOL", 10: "FP16", 11: "FP64", 12: "UINT32", 13: "UINT64"},
    **{14: "COMPLEX64", 15: "COMPLEX128", 16: "BF16", 17: "FP8E4M3FN", 18: "FP8E4M3FNUZ"},
    **{19: "FP8E5M2", 20: "FP8E5M2FNUZ", 21: "UINT4", 22: "INT4", 23: "FP4E2M1", 24: "FP8E8M0"},
}
_BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64}
_BITS |= {14: 64, 15: 128, 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8}
_TYPED = (4, 5, 6, 7, 10, 11)  # fields that hold the numbers one by one
_OTHER = {4: "SEQUENCE", 5: "MAP", 8: "SPARSE", 9: "OPTIONAL"}
_RANK = 64
_INT64 = 7
_A_SHAPE = 16  # a tensor of so few int64 may be a shape, and is read


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in the file; `shape` is what its numbers would make as a shape, else None."""

    name: str
    elements: int
    external: str | None = None
    shape: int | None = None


def read(one: Reader, a: int, b: int) -> Stored:
    """Return the tensor in [a, b). Raises Malformed where it has not what it says."""
    name, dims, kind, outside, location = "", [], 0, False, ""
    raw: tuple[int, int] | None = None
    typed = strings = 0
    numbers: list[int] = []
    for number, wire, x, y in one.fields(a, b):
        if number == 1:
            dims += one.integers(wire, x, y, most=_RANK, what="the shape of a tensor")
        elif number == 2 and wire == VARINT:
            kind = x
        elif number == 8 and wire == LENGTH:
            name = one.name(x, y, "a tensor")
        elif number == 9 and wire == LENGTH:
            raw = x, y
        elif number == 13 and wire == LENGTH:
            location = _location(one, x, y) or location
        elif number == 14 and wire == VARINT:
            outside = x == 1
        elif number == 6 and wire == LENGTH:
            strings += 1
        elif number in _TYPED:
            typed += y - x if wire == LENGTH else 1
            if number == _INT64 and (wire == VARINT or y - x <= 10 * _A_SHAPE):
                most = 10 * _A_SHAPE
                numbers += one.integers(wire, x, y, most=most, what=f"the tensor {name!r}")
    if len(dims) > _RANK or any(dim < 0 for dim in dims):
        raise Malformed(f"the shape of the tensor {name!r} is {dims[:8]}")
    elements = math.prod(dims)
    if outside or location:
        return Stored(name, elements, location or "?")
    if elements <= MOST_ELEMENTS:  # beyond, that is what is told
        _holds(name, kind, elements, raw, typed, strings)
    if kind != _INT64 or len(dims) != 1 or elements > _A_SHAPE:
        return Stored(name, elements)
    if raw is not None:
        numbers = list(struct.unpack(f"<{elements}q", one.data[raw[0] : raw[1]]))
    return Stored(name, elements, shape=math.prod(max(number, 0) for number in numbers))


def declared(one: Reader, a: int, b: int) -> Tensor:
    """Return the input, output or inner value (ValueInfoProto) in [a, b)."""
    name, dtype = "", "?"
    shape: tuple[int | str | None, ...] | None = None
    for number, wire, x, y in one.fields(a, b):
        if number == 1 and wire == LENGTH:
            name = one.name(x, y, "an input or output")
        elif number == 2 and wire == LENGTH:
            for kind, inner, v, w in one.fields(x, y):
                if inner == LENGTH and kind == 1:
                    dtype, shape = _typed(one, v, w)
                elif inner == LENGTH:
                    dtype = _OTHER.get(kind, dtype)
    return Tensor(name, dtype, shape)


def _typed(one: Reader, a: int, b: int) -> tuple[str, tuple[int | str | None, ...] | None]:
    kind = 0
    shape: list[int | str | None] | None = None
    for number, wire, x, y in one.fields(a, b):
        if number == 1 and wire == VARINT:
            kind = x
        elif number == 2 and wire == LENGTH:
            shape = shape or []
            for each, inner, v, w in one.fields(x, y):
                if each == 1 and inner == LENGTH:
                    shape.append(_axis(one, v, w))
                if len(shape) > _RANK:
                    raise Malformed(f"a shape has more than {_RANK} axes")
    return TYPES.get(kind, "?"), None if shape is None else tuple(shape)


def _axis(one: Reader, a: int, b: int) -> int | str | None:
    found: int | str | None = None
    for number, wire, x, y in one.fields(a, b):
        if number == 1 and wire == VARINT:
            found = size if (size := signed(x)) >= 0 else None  # exporters write -1 for open
        elif number == 2 and wire == LENGTH:
            found = one.name(x, y, "an axis") or None
    return found


def _holds(
    name: str, kind: int, elements: int, raw: tuple[int, int] | None, typed: int, strings: int
) -> None:
    if kind == 8:
        enough, told = strings == elements, f"{strings:,} texts"
    elif raw is not None:
        size = raw[1] - raw[0]
        enough = kind in _BITS and size == (elements * _BITS[kind] + 7) // 8
        told = f"{size:,} bytes"
    else:  # a number takes a byte at least; the smallest types pack eight into one
        enough, told = elements <= 8 * typed, f"{typed:,} bytes"
    if not enough:
        what = TYPES.get(kind, f"type {kind}")
        raise Malformed(f"the tensor {name!r} is {elements:,} of {what} and has {told}")


def _location(one: Reader, a: int, b: int) -> str:
    """Return the file that an entry of external_data names, "" for other entries."""
    key = value = ""
    for number, wire, x, y in one.fields(a, b):
        if wire == LENGTH and number in (1, 2):
            words = one.name(x, y, "an external file")
            key, value = (words, value) if number == 1 else (key, words)
    return value if key == "location" else ""
