"""Bytes that lie in several places, read as one file without being copied together."""

from __future__ import annotations

import bisect
import io
from collections.abc import Sequence
from itertools import accumulate
from typing import Any


class Pieces(io.RawIOBase):
    """A file over `parts`, which must not change while it is read."""

    def __init__(self, parts: Sequence[bytes | memoryview]) -> None:
        super().__init__()
        self._parts = [memoryview(part) for part in parts]
        self._ends = list(accumulate(len(part) for part in self._parts))
        self._at = 0

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes: what is sent a second time is read from the start."""
        return True

    def tell(self) -> int:
        """Return how far it was read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to `offset`."""
        self._at = max(0, offset + {0: 0, 1: self._at, 2: len(self)}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` as far as there are bytes."""
        target = memoryview(buffer).cast("B")
        filled = 0
        number = bisect.bisect_right(self._ends, self._at)
        while filled < len(target) and number < len(self._parts):
            part = self._parts[number]
            start = self._at - (self._ends[number] - len(part))
            taken = part[start : start + len(target) - filled]
            target[filled : filled + len(taken)] = taken
            filled += len(taken)
            self._at += len(taken)
            number += 1
        return filled
