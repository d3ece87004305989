"""A safetensors file as its header describes it, held against the bytes that are there.

https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from mlops_cli.registry.modelfile.found import MOST_ELEMENTS, SHOWN, Found, Problem
from mlops_cli.registry.modelfile.protobuf import NAME, Bytes, Malformed

MOST_HEADER = 16 << 20  # bytes; that of a model of hundreds of gigabytes has a tenth
_BITS = {"BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32}
_BITS |= {"I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64, "F4": 4}
_BITS |= {"F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F6_E2M3": 6, "F6_E3M2": 6}


def read(data: Bytes, size: int) -> Found:
    """Return what the file says. Raises Malformed where header and bytes do not agree."""
    length = int.from_bytes(data[:8], "little")
    if size < 8 or length > size - 8:
        raise Malformed(f"its header says it has {length:,} bytes, {max(size - 8, 0):,} are there")
    if length > MOST_HEADER:
        raise Malformed(f"its header has {length:,} bytes", "header-too-large")
    tensors = list(_tensors(_header(data[8 : 8 + length])))
    at = parameters = 0
    problems: dict[Problem, None] = {}
    for begin, end, name, elements in sorted(tensors):
        if begin != at:
            raise Malformed(f"the tensor {name!r} begins at {begin:,}, not at {at:,}")
        at = end
        parameters += elements
        if elements > MOST_ELEMENTS and len(problems) < SHOWN:
            why = f"the tensor {name!r} has {elements:,} elements, {MOST_ELEMENTS:,} are allowed"
            problems[Problem("tensor-too-large", why)] = None
    if at != size - 8 - length:
        raise Malformed(f"its tensors have {at:,} bytes, {size - 8 - length:,} are there")
    return Found(
        "safetensors", size, tensors=len(tensors), parameters=parameters, problems=tuple(problems)
    )


def _header(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError) as exc:
        raise Malformed(f"its header is not JSON: {str(exc)[:200]}") from None
    if not isinstance(value, dict):
        raise Malformed("its header is no JSON object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("its header names one thing twice")
    return found


def _tensors(header: dict[str, Any]) -> Iterator[tuple[int, int, str, int]]:
    for name, told in header.items():
        if len(name) > NAME:
            raise Malformed(f"the name of a tensor has {len(name):,} characters", "name-too-long")
        if name == "__metadata__":
            continue
        fields = told if isinstance(told, dict) else {}
        shape, offsets = _sizes(fields.get("shape")), _sizes(fields.get("data_offsets"))
        dtype = fields.get("dtype")
        if shape is None or offsets is None or len(offsets) != 2 or dtype not in _BITS:
            raise Malformed(f"what its header says of {name!r} is not a tensor")
        elements = math.prod(shape)
        begin, end = offsets
        if end < begin or (elements * _BITS[dtype] + 7) // 8 != end - begin:
            raise Malformed(
                f"the tensor {name!r} is {dtype} of shape {shape[:8]} and has {end - begin:,} bytes"
            )
        yield begin, end, name, elements


def _sizes(value: Any) -> list[int] | None:
    """Return a list of whole numbers that an unsigned int64 can hold, None for anything else."""
    if not isinstance(value, list) or len(value) > 64:
        return None
    return value if all(type(each) is int and 0 <= each < 1 << 64 for each in value) else None
