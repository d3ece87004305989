"""A stored record is an object's own bytes or one zstd frame of them; the digest decides."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878
LEVEL = 3


def squeeze(data: bytes | memoryview) -> bytes | memoryview:
    """Return `data` as one zstd frame, or as it is where that is no shorter."""
    frame = bytes(_codec().compress(data, asbytes=True))
    return frame if len(frame) < len(data) else data


def plain(raw: bytes, stored: bytes | memoryview, *, at_most: int) -> bytes | memoryview | None:
    """Return the object `raw` out of the record `stored`; None when it is not in there.

    A frame that would grow beyond `at_most` bytes, or does not say how far, is not opened: what
    a stranger wrote may fill the memory (a zip bomb).
    """
    if sha256(stored).digest() == raw:
        return stored
    size = promised(stored)
    if size is None or size > at_most:
        return None
    try:
        data = bytes(_codec().decompress(stored, decompressed_size=size, asbytes=True))
    except OSError:  # pyarrow's word for a frame that is broken or longer than it says
        return None
    return data if sha256(data).digest() == raw else None


def promised(stored: bytes | memoryview) -> int | None:
    """Return how long the frame `stored` says its content is; None for what is no such frame."""
    head = bytes(stored[:18])
    if head[:4] != MAGIC or len(head) < 6:
        return None
    flags = head[4]
    single = flags >> 5 & 1
    width = (single, 2, 4, 8)[flags >> 6]
    start = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3]
    if not width or len(head) < start + width:
        return None
    return int.from_bytes(head[start : start + width], "little") + (256 if width == 2 else 0)


def _codec() -> Any:
    import pyarrow as pa

    return pa.Codec("zstd", compression_level=LEVEL)
