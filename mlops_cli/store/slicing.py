"""A large object goes by once: read, cut into chunks, each chunk hashed and the whole as well."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from queue import SimpleQueue
from typing import BinaryIO

from mlops_cli.store.chunks import MOST, Chunk, cut
from mlops_cli.store.digest import Digest
from mlops_cli.store.footprint import Footprint

BLOCK = 8 << 20  # bytes that are read, cut and hashed at a time
_BUFFERS = 5  # being read, being hashed, and being sent


@dataclass(frozen=True, slots=True)
class Slice:
    """Some consecutive chunks; their bytes are good until `release` is called, once."""

    chunks: tuple[tuple[Chunk, memoryview], ...]
    release: Callable[[], None]


class Slicer:
    """Slices one object after the other; a context manager, for its threads.

    Reading and cutting, hashing the chunks, and hashing the whole are about the same work and
    have a thread each: OpenSSL and the system calls release the interpreter lock.
    """

    def __init__(self) -> None:
        self._free: SimpleQueue[mmap.mmap] = SimpleQueue()
        self._made = 0
        self._whole = ThreadPoolExecutor(1, thread_name_prefix="mlops-whole")
        self._each = ThreadPoolExecutor(1, thread_name_prefix="mlops-chunks")

    def __enter__(self) -> Slicer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._whole.shutdown(cancel_futures=True)
        self._each.shutdown(cancel_futures=True)

    def slices(self, source: BinaryIO, done: Callable[[Digest], None]) -> Iterator[Slice]:
        """Yield all of `source` in slices, then call `done` with the digest of the whole.

        Blocks while the slices that were not released have all the memory there is to be had.
        """
        state = sha256()
        behind = _footprint(source)
        ahead: Future[Slice] | None = None
        rest = b""
        last = False
        try:
            while not last:
                buffer = self._buffer()
                try:
                    view = memoryview(buffer)
                    view[: len(rest)] = rest
                    end = len(rest)
                    while end < BLOCK + len(rest) and not last:
                        got = source.readinto(view[end : BLOCK + len(rest)])  # type: ignore[attr-defined]
                        last = not got
                        end += got or 0
                        if behind:
                            behind.passed(got or 0)
                    lengths = tuple(cut(view[:end], last=last))
                except BaseException:
                    self._free.put(buffer)
                    raise
                whole = self._whole.submit(state.update, view[len(rest) : end])
                rest = bytes(view[sum(lengths) : end])
                former, ahead = ahead, self._each.submit(self._hashed, lengths, view, whole, buffer)
                if former:
                    yield former.result()
            former, ahead = ahead, None
            if former:
                yield former.result()
        finally:
            if ahead:
                ahead.result().release()
        done(Digest.from_raw(state.digest()))

    def _buffer(self) -> mmap.mmap:
        if self._free.empty() and self._made < _BUFFERS:
            self._made += 1
            return mmap.mmap(-1, BLOCK + MOST)
        return self._free.get()

    def _hashed(
        self, lengths: tuple[int, ...], view: memoryview, whole: Future[None], buffer: mmap.mmap
    ) -> Slice:
        chunks = []
        at = 0
        for length in lengths:
            piece = view[at : at + length]
            chunks.append((Chunk(sha256(piece).digest(), length), piece))
            at += length
        whole.result()  # reads the same memory
        return Slice(tuple(chunks), lambda: self._free.put(buffer))


def _footprint(source: BinaryIO) -> Footprint | None:
    try:
        handle = source.fileno()
    except OSError:  # no file: pieces of a folded object
        return None
    return Footprint(handle, os.fstat(handle).st_size)
