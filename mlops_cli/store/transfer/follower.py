"""A file is hashed from its beginning while its pieces arrive in any order."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass, field

from mlops_cli.store.footprint import Footprint

PIECE = 1 << 20


@dataclass(slots=True)
class Follower:
    """Whoever has put a piece into the file hashes as far as there is no hole, unless another
    thread is at it: it will see that there is more."""

    handle: int
    size: int
    _arrived: dict[int, int] = field(default_factory=dict)  # start → end, beyond the first hole
    _until: int = 0  # where the first hole begins
    _hashed: int = 0
    _busy: bool = False
    _state: hashlib._Hash = field(default_factory=hashlib.sha256)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _behind: Footprint = field(init=False)

    def __post_init__(self) -> None:
        self._behind = Footprint(self.handle, self.size, written=True)

    def arrived(self, pieces: list[tuple[int, int]]) -> None:
        """Take note that the file has its bytes from each start to each end."""
        with self._lock:
            self._arrived.update(pieces)
            if self._busy:
                return
            self._busy = True
        buffer = bytearray(PIECE)
        view = memoryview(buffer)
        while True:
            with self._lock:
                while (end := self._arrived.pop(self._until, None)) is not None:
                    self._until = end
                if self._hashed == self._until:
                    self._busy = False
                    return
                until = self._until
            while self._hashed < until:
                wanted = min(PIECE, until - self._hashed)
                got = os.preadv(self.handle, [view[:wanted]], self._hashed)
                if not got:
                    raise EOFError(self._hashed)
                self._state.update(view[:got])
                self._hashed += got
                self._behind.passed(got)

    def digest(self) -> tuple[int, bytes]:
        """Return how many bytes were hashed, and their raw digest."""
        return self._hashed, self._state.digest()
