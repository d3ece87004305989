"""Objects as streams: at the end, and when they are closed, it is known whether they were right."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import cast

from mlops_cli.store.damage import damaged
from mlops_cli.store.digest import Digest
from mlops_cli.store.objects import ObjectStore


class ToTheEnd(io.BufferedReader):
    """A stream of which some was read has been verified as a whole once it is closed."""

    def close(self) -> None:
        try:
            if not self.closed and cast(Verified | Pieces, self.raw).doubtful:
                while self.read(1 << 20):
                    pass
        finally:
            super().close()


class Verified(io.RawIOBase):
    """A file that knows at its end whether it was the right one."""

    def __init__(
        self, stream: io.RawIOBase | io.FileIO, digest: Digest, store: ObjectStore
    ) -> None:
        self._stream, self._digest, self._store = stream, digest, store
        self._state = hashlib.sha256()
        self.doubtful = False  # some was read, and the end was not reached

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        got = self._stream.readinto(view) or 0
        self.doubtful = got > 0
        if got:
            self._state.update(view[:got])
        elif len(view) and self._state.digest() != self._digest.raw:
            self._store.quarantine(self._digest)
            raise damaged(self._digest)
        return got

    def close(self) -> None:
        self._stream.close()
        super().close()


class Pieces(io.RawIOBase):
    """Pieces of bytes as one stream."""

    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")
        self.doubtful = False  # some was read, and the end was not reached

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        self.doubtful = False
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        self.doubtful = len(self._left) > 0
        got = min(len(view), len(self._left))
        view[:got] = self._left[:got]
        self._left = self._left[got:]
        return got
