"""The index of a pack: where in it each object lies; looked up and never loaded."""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from mlops_cli.store.digest import RAW_LENGTH

INDEX_MAGIC = b"mlops.idx/1\n"
ROW = struct.Struct(">32sQQ")  # digest, where its bytes begin, how many there are
FANOUT = struct.Struct(">256I")
INDEX_START = len(INDEX_MAGIC) + 4 + FANOUT.size

_SEARCHED = 128  # rows


def write_index(rows: dict[bytes, tuple[int, int]]) -> bytes:
    """Return the index of a pack whose objects (by raw digest) lie at (offset, length)."""
    counts = [0] * 256
    for raw in rows:
        counts[raw[0]] += 1
    body = [ROW.pack(raw, *rows[raw]) for raw in sorted(rows)]
    fanout = FANOUT.pack(*accumulate(counts))
    return b"".join([INDEX_MAGIC, len(rows).to_bytes(4, "big"), fanout, *body])


def index_name(index: bytes) -> str:
    """Return the digits by which the pack of `index` and the index itself are called."""
    return hashlib.sha256(index).hexdigest()


def indices(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each of the indices that `data` holds one after the other begins and ends.

    Raises ValueError for bytes that are no well-formed indices.
    """
    start = 0
    while start < len(data):
        if len(data) - start < INDEX_START:
            raise ValueError(start)
        count = int.from_bytes(data[start + len(INDEX_MAGIC) : start + len(INDEX_MAGIC) + 4], "big")
        end = start + INDEX_START + count * ROW.size
        if not well_formed(data[start:end]):
            raise ValueError(start)
        yield start, end
        start = end


def index_rows(index: bytes | mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Yield (raw digest, offset, length) for each object of an index, sorted by digest."""
    return ROW.iter_unpack(memoryview(index)[INDEX_START:])


def well_formed(index: bytes | mmap.mmap) -> bool:
    """Return whether the bytes have the shape of an index; `index_name` tells if they are it."""
    if len(index) < INDEX_START or index[: len(INDEX_MAGIC)] != INDEX_MAGIC:
        return False
    count = int.from_bytes(index[len(INDEX_MAGIC) : len(INDEX_MAGIC) + 4], "big")
    fanout = FANOUT.unpack_from(index, len(INDEX_MAGIC) + 4)
    return (
        len(index) == INDEX_START + count * ROW.size
        and fanout == tuple(accumulate(fanout, max))
        and fanout[255] == count
    )


class Index:
    """One index, mapped into memory; only the pages that are looked at are read."""

    __slots__ = ("fanout", "pack", "rows")

    def __init__(self, path: Path) -> None:
        with path.open("rb") as handle:
            self.rows = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        if not well_formed(self.rows):
            raise ValueError(path)
        self.fanout = (0, *FANOUT.unpack_from(self.rows, len(INDEX_MAGIC) + 4))
        self.pack = path.with_suffix(".pack")

    def find(self, raw: bytes) -> tuple[int, int] | None:
        low, high = self.fanout[raw[0]], self.fanout[raw[0] + 1]
        rows, step = self.rows, ROW.size
        while high - low > _SEARCHED:
            middle = (low + high) // 2
            start = INDEX_START + middle * step
            if rows[start : start + RAW_LENGTH] <= raw:
                low = middle
            else:
                high = middle
        # among the last hundred, one search in C beats six more steps in Python
        part = rows[INDEX_START + low * step : INDEX_START + high * step]
        at = part.find(raw)
        while at % step:  # not found, or found across two rows
            if at < 0:
                return None
            at = part.find(raw, at + 1)
        _, offset, length = ROW.unpack_from(part, at)
        return offset, length
