"""A stream is cut where its content says so: an edit moves only the cuts around it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, NamedTuple

LEAST, USUAL, MOST = 64 << 10, 256 << 10, 1 << 20  # bytes of a chunk; the last may be shorter
CHUNKED_FROM = 1 << 20  # bytes; smaller objects gain nothing from being cut
NO_CUTTER = "fastcdc, which cuts objects into chunks, is installed here without its compiled half"
MEND = "with a C compiler: pip install --force-reinstall --no-binary fastcdc fastcdc"


class Chunk(NamedTuple):
    """A piece of an object: its raw digest and its length."""

    raw: bytes
    length: int


@cache
def available() -> bool:
    """Return whether the compiled cutter is here; without it large objects travel whole.

    There is no wheel for some Pythons. Asked without importing it: without its compiled half,
    fastcdc prints on stdout and takes minutes for a gigabyte.
    """
    found = importlib.util.find_spec("fastcdc")
    folders = found.submodule_search_locations if found else None
    names = [f"fastcdc_cy{suffix}" for suffix in EXTENSION_SUFFIXES]  # those that load here
    return any((Path(folder) / name).is_file() for folder in folders or () for name in names)


def cut(data: memoryview, *, last: bool) -> Iterator[int]:
    """Yield the lengths of the chunks with which `data` begins (FastCDC, Xia et al. 2016).

    A chunk is yielded only when more bytes could not change it; `last` says that none follow.
    """
    end = 0
    for piece in _cutter()(data, LEAST, USUAL, MOST):
        length = int(piece.length)
        end += length
        if end == len(data) and length < MOST and not last:
            return
        yield length


@cache
def _cutter() -> Any:
    from fastcdc.fastcdc_cy import fastcdc_cy

    return fastcdc_cy
