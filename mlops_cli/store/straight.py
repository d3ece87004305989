"""Large objects go straight to the disk: the page cache would hold them twice and copy them once.

Beside the file in the workspace, which is in memory already, a copy in the page cache costs a page
for each 4 KiB, a copy into it, and the pages of other programs. A gigabyte written past it takes a
quarter of the CPU, and is on the disk when it is flushed.
"""

from __future__ import annotations

import errno
import fcntl
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
        flags = fcntl.fcntl(self._handle, fcntl.F_GETFL)
        try:
            fcntl.fcntl(self._handle, fcntl.F_SETFL, flags | _DIRECT if on else flags & ~_DIRECT)
        except OSError:
            if not on:
                raise
            return  # a disk in memory has no way past it
        self._on = on
