"""An object of the cache as a file that can be moved about in, and serves nothing unverified.

A stream from its beginning is verified when it is read to its end, as `Cache.open` does. Who
moves elsewhere gets bytes only after all of the object was hashed.
"""

from __future__ import annotations

import io
import os
from typing import BinaryIO, cast

from mlops_cli.store import hashing
from mlops_cli.store.cache import PACK_BELOW, Cache
from mlops_cli.store.digest import Digest

BUFFER = 1 << 20


def serve(cache: Cache, digest: Digest, *, verified: bool = False) -> BinaryIO:
    """Return the object as a seekable file; `verified` hashes it before a first byte is served.

    Raises as `Cache.open` does, also while it is read.
    """
    size = cache.size(digest)
    if size < PACK_BELOW:
        return io.BytesIO(cache.read(digest))
    return cast(BinaryIO, io.BufferedReader(_Served(cache, digest, size, verified), BUFFER))


class _Served(io.RawIOBase):
    def __init__(self, cache: Cache, digest: Digest, size: int, verified: bool) -> None:
        self._cache, self._digest, self._size = cache, digest, size
        self._at = self._streamed = 0
        self._stream: BinaryIO | None = None
        self._whole: int | None = None  # a handle on verified bytes
        if verified:
            self._whole = self._verified()
        else:
            self._stream = cache.open(digest)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"there is no place {base + offset} in a file")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if self._whole is None and self._stream is not None and self._at == self._streamed:
            got = self._stream.readinto(view) or 0  # type: ignore[attr-defined]
            self._streamed += got
            if self._streamed >= self._size:
                self._stream.read(1)  # raises if it was not the right one, before the last byte
        else:
            if self._whole is None:
                self._whole = self._verified()
            got = os.preadv(self._whole, [view], self._at)
        self._at += got
        return got

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._whole is not None:
            os.close(self._whole)
            self._whole = None
        super().close()

    def _verified(self) -> int:
        """Return a handle on the whole object, hashed; a copy where it is kept in pieces."""
        try:
            handle = os.open(self._cache.objects.path(self._digest), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return self._copied()
        if hashing.hash_handle(handle)[0] == self._digest:
            return handle
        os.close(handle)
        return self._copied()  # compressed, or damaged: then it raises

    def _copied(self) -> int:
        with self._cache.objects.temporary() as temporary:
            self._cache.copy_to(self._digest, temporary)
            return os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
