"""Values of one column between the wire and numpy: strict, or the request is refused."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from mlops_cli.serving.schema import FLOATS, INTEGERS, NUMPY, Column, Refused

Array = np.ndarray[Any, np.dtype[Any]]
_NULL = type(None)
_FLOAT_KINDS = frozenset({float, int})
_WANTED = {
    "FP32": "a number",
    "FP64": "a number",
    "INT64": "an integer",
    "INT32": "an integer",
    "BOOL": "true or false",
    "BYTES": "a string",
}
_FEW = 16  # so many values are checked faster one by one than by numpy
_LARGEST = {"FP32": 3.4e38, "FP64": 1.79e308}  # a little less than what still fits
_LENGTH = struct.Struct("<I")


def from_values(column: Column, values: list[Any]) -> Array:
    """Return JSON values as an array of shape [rows] and the dtype of `column`.

    Nothing is coerced: "1" is not a number, 1.0 not an integer, true not 1 unless the column
    is a flag.
    """
    kinds = set(map(type, values))
    if _NULL in kinds:
        if not column.nullable or column.dtype in INTEGERS or column.dtype == "BOOL":
            raise Refused(f"input {column.name!r} is null in row {values.index(None)}")
        kinds.discard(_NULL)
    if column.dtype in FLOATS:
        if column.kind == "bool" and bool in kinds:  # a flag that the model takes as 0 and 1
            values = [float(value) if type(value) is bool else value for value in values]
            kinds.discard(bool)
        if not kinds <= _FLOAT_KINDS:
            raise _wrong_kind(column, values, _FLOAT_KINDS)
        if len(values) <= _FEW and _all_plain(values, _LARGEST[column.dtype]):
            return np.array(values, dtype=NUMPY[column.dtype])
        return _finite(column, np.array(values, dtype=np.float64))
    if column.dtype == "BYTES":
        if not kinds <= {str}:
            raise _wrong_kind(column, values, frozenset({str}))
        return np.array(values, dtype=object)
    wanted: frozenset[type] = frozenset({bool} if column.dtype == "BOOL" else {int})
    if not kinds <= wanted:
        raise _wrong_kind(column, values, wanted)
    bits = INTEGERS.get(column.dtype)
    if bits is not None:
        for row, value in enumerate(values):
            if not -(1 << bits) <= value < 1 << bits:
                raise Refused(f"input {column.name!r} in row {row} does not fit {column.dtype}")
    return np.array(values, dtype=NUMPY[column.dtype])


def from_bytes(column: Column, blob: bytes | memoryview, rows: int) -> Array:
    """Return the raw little-endian tensor `blob` as an array of shape [rows].

    BYTES: each element is a length of 4 bytes and then UTF-8.
    """
    if column.dtype == "BYTES":
        return _strings(column, bytes(blob), rows)
    kind = np.dtype(NUMPY[column.dtype])
    if len(blob) != rows * kind.itemsize:
        raise Refused(
            f"input {column.name!r} has {len(blob)} bytes where {rows} values of {column.dtype} "
            f"need {rows * kind.itemsize}"
        )
    array = np.frombuffer(blob, dtype=kind)
    return _finite(column, array) if column.dtype in FLOATS else array


def to_bytes(array: Array) -> bytes:
    """Return `array` as a raw little-endian tensor; strings with their lengths."""
    if array.dtype != object:
        return np.ascontiguousarray(array).tobytes()
    parts = [item if isinstance(item, bytes) else str(item).encode() for item in array.ravel()]
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


def _finite(column: Column, array: Array) -> Array:
    with np.errstate(over="ignore"):
        narrow = array.astype(NUMPY[column.dtype], copy=False)
    if not np.isfinite(narrow).all():
        infinite = np.isinf(narrow)
        if infinite.any():
            row = int(np.argmax(infinite))
            raise Refused(f"input {column.name!r} is not finite in {column.dtype} in row {row}")
        if not column.nullable:
            row = int(np.argmax(np.isnan(narrow)))
            raise Refused(f"input {column.name!r} is null in row {row}")
    return narrow


def _all_plain(values: list[Any], largest: float) -> bool:
    """Return whether all are numbers that fit; anything else is looked at more closely."""
    for value in values:  # noqa: SIM110 - a generator costs more than the few values
        if value is None or not -largest < value < largest:
            return False
    return True


def _strings(column: Column, blob: bytes, rows: int) -> Array:
    values: list[str] = []
    at = 0
    try:
        for _ in range(rows):
            (length,) = _LENGTH.unpack_from(blob, at)
            at += 4 + length
            if at > len(blob):
                raise Refused(f"input {column.name!r} is cut short")
            values.append(blob[at - length : at].decode())
    except struct.error as exc:
        raise Refused(f"input {column.name!r} is cut short") from exc
    except UnicodeDecodeError as exc:
        raise Refused(f"input {column.name!r} is not UTF-8 in row {len(values)}") from exc
    if at != len(blob):
        raise Refused(f"input {column.name!r} has more than {rows} values")
    return np.array(values, dtype=object)


def _wrong_kind(column: Column, values: list[Any], wanted: frozenset[type]) -> Refused:
    row = next(
        row for row, value in enumerate(values) if type(value) not in wanted and value is not None
    )
    return Refused(
        f"input {column.name!r} takes {_WANTED[column.dtype]}; "
        f"row {row} holds {_spoken(values[row])}"
    )


def _spoken(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return repr(value)[:60]
