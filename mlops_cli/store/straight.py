"""Large objects go straight to the disk: the page cache would hold them twice and copy them once.

Beside the file in the workspace, which is in memory already, a copy in the page cache costs a page
for each 4 KiB, a copy into it, and the pages of other programs. A gigabyte written past it takes a
quarter of the CPU, and is on the disk when it is flushed; one read past it, because it was not in
memory, less than half.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os

FROM = 64 << 20  # bytes; smaller ones may well be read again soon
_BLOCK = 4096  # length and place of what is written have to be multiples of it
_DIRECT = getattr(os, "O_DIRECT", 0)  # macOS has none


class Straight:
    """Writes to one new file past the page cache for as long as disk and lengths allow it.

    What is written has to begin at a page, as the memory of an `mmap` does.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._on = False
        self._set(_DIRECT != 0)

    def write(self, data: memoryview) -> None:
        """Write all of `data`."""
        while data:
            if self._on and len(data) % _BLOCK:
                self._set(False)  # the tail, or a read that fell short
            try:
                data = data[os.write(self._handle, data) :]
            except OSError as exc:
                if exc.errno != errno.EINVAL or not self._on:
                    raise
                self._set(False)  # some filesystems refuse only here

    def _set(self, on: bool) -> None:
        if on == self._on:
            return
        if _switched(self._handle, on):
            self._on = on


class Reader:
    """Reads one file from its beginning, past the page cache if it is large and not in there.

    The buffers must begin at a page and be whole pages long.
    """

    def __init__(self, handle: int, size: int) -> None:
        self._handle = handle
        self._on = bool(_DIRECT) and size >= FROM and _absent(handle) and _switched(handle, True)

    def read(self, buffer: mmap.mmap) -> int:
        """Fill the buffer as far as one read does; return how many bytes it got, 0 at the end."""
        try:
            return os.readv(self._handle, [buffer])
        except OSError as exc:
            if exc.errno != errno.EINVAL or not self._on:
                raise
            # some filesystems refuse only here, others once a read has fallen short
            self._on = not _switched(self._handle, False)
            return os.readv(self._handle, [buffer])


def _absent(handle: int) -> bool:
    """Tell whether the first page of a file would have to come from the disk."""
    try:
        os.preadv(handle, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return True
    except (OSError, AttributeError):  # this disk, or this system, cannot say
        return False
    return False


def _switched(handle: int, on: bool) -> bool:
    """Turn the way past the page cache on or off; return False where there is none."""
    flags = fcntl.fcntl(handle, fcntl.F_GETFL)
    try:
        fcntl.fcntl(handle, fcntl.F_SETFL, flags | _DIRECT if on else flags & ~_DIRECT)
    except OSError:
        if not on:
            raise
        return False  # a disk in memory
    return True
