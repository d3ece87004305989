"""What large files leave in memory: nothing, unless they were there before.

The page cache would take a page for each 4 KiB of an object, and the pages of other programs with
it, for bytes that are hardly read again soon. Pages that are let go right behind are taken again
for what comes next: a gigabyte that has to come from the disk is read in a quarter of the time, and
one that is written is on the disk when it is flushed.
"""

from __future__ import annotations

import os

FROM = 64 << 20  # bytes; smaller files may well be read again soon
WINDOW = 8 << 20  # bytes between two times


class Footprint:
    """Told of each piece of a file that was read, or written, in order, lets go of those behind.

    A file that is read and was in memory stays there.
    """

    def __init__(self, handle: int, size: int, *, written: bool = False) -> None:
        self._handle = handle
        self._begin = 0 if written else os.lseek(handle, 0, os.SEEK_CUR)
        self._at = self._told = self._begin
        self._written = written
        self._on = size >= FROM and _CAN and (written or absent(handle, self._begin))

    def passed(self, length: int) -> None:
        """Take note that `length` more bytes went by."""
        self._at += length
        if self._on and self._at - self._told >= WINDOW:
            # what was written goes on its way to the disk now, and away when it is there
            forget(self._handle, self._begin, self._at)
            self._told = self._at
            if not self._written:
                self._begin = self._at


_CAN = hasattr(os, "posix_fadvise")  # macOS has none


def absent(handle: int, at: int = 0) -> bool:
    """Tell whether the byte at `at` would have to come from the disk; asking may fetch it."""
    try:
        return not os.preadv(handle, [bytearray(1)], at, os.RWF_NOWAIT)
    except BlockingIOError:
        return True
    except (OSError, AttributeError):  # this disk, or this system, cannot say
        return False


def forget(handle: int, begin: int, end: int) -> None:
    """Let the pages of a part of a file go that are on the disk, and send the others there."""
    if _CAN:
        os.posix_fadvise(handle, begin, end - begin, os.POSIX_FADV_DONTNEED)
