"""Bytes go by once: hashed, and copied on the way where somebody wants them."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable

from mlops_cli.errors import MlopsError, OutsideWorld, StateRefused
from mlops_cli.fsio import write_all
from mlops_cli.store import footprint
from mlops_cli.store.digest import Digest

CHUNK = 1 << 20
OVERLAP_FROM = 8 << 20  # below this a second thread costs more than it brings
_BUFFERS = 8


Tick = Callable[[int], object]


def nothing(_: int) -> None:
    """Take the size of a piece, and tell nobody."""


def read_exactly(path: str | os.PathLike[str], size: int, *, dir_fd: int | None = None) -> bytes:
    """Return the bytes of a small file that has about `size` of them.

    One read into a buffer of the right size is four times quicker than a generous buffer; a file
    that grew or shrank since it was looked at is still read to its end.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        data = os.read(handle, size + 1)
        if len(data) == size:
            return data
        parts = [data]
        while data:
            data = os.read(handle, CHUNK)
            parts.append(data)
        return b"".join(parts)
    finally:
        os.close(handle)


def hash_file(path: str | os.PathLike[str], tick: Tick = nothing) -> tuple[Digest, int]:
    """Return the digest and the length of the file at `path`."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return hash_handle(handle, tick)
    finally:
        os.close(handle)


def hash_handle(handle: int, tick: Tick = nothing) -> tuple[Digest, int]:
    """Return the digest and the length of what can still be read from `handle`."""
    return copy_and_hash(handle, None, tick=tick)


def copy_and_hash(source: int, target: int | None, *, tick: Tick = nothing) -> tuple[Digest, int]:
    """Copy `source` to `target` (when given) and return the digest and length of the bytes copied.

    For large files the hashing runs in a thread of its own (OpenSSL and the system calls both
    release the interpreter lock), on the very buffers that are written: a file that changes
    meanwhile gives a digest that is true of the copy. `tick` is told the bytes of each piece.
    """
    size = os.fstat(source).st_size
    if size < OVERLAP_FROM:
        return _copy_plainly(source, target, tick)
    made = footprint.Footprint(target, size, written=True) if target is not None else None

    def write(view: memoryview) -> None:
        if target is not None:
            write_all(target, view)
        if made:
            made.passed(len(view))

    return _copy_overlapped(source, write, tick, footprint.Footprint(source, size))


def _copy_plainly(source: int, target: int | None, tick: Tick) -> tuple[Digest, int]:
    state = hashlib.sha256()
    size = 0
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    while got := os.readv(source, [buffer]):
        state.update(view[:got])
        if target is not None:
            write_all(target, view[:got])
        size += got
        tick(got)
    return Digest.from_raw(state.digest()), size


def _copy_overlapped(
    source: int, write: Callable[[memoryview], object], tick: Tick, read: footprint.Footprint
) -> tuple[Digest, int]:
    import threading
    from queue import SimpleQueue

    state = hashlib.sha256()
    free: SimpleQueue[mmap.mmap] = SimpleQueue()
    full: SimpleQueue[tuple[mmap.mmap, int] | None] = SimpleQueue()
    for _ in range(_BUFFERS):
        free.put(mmap.mmap(-1, CHUNK))

    def digest_them() -> None:
        while (item := full.get()) is not None:
            buffer, got = item
            state.update(memoryview(buffer)[:got])
            free.put(buffer)

    hasher = threading.Thread(target=digest_them, name="mlops-hash", daemon=True)
    hasher.start()
    size = 0
    try:
        while True:
            buffer = free.get()
            got = os.readv(source, [buffer])
            if not got:
                break
            # both threads only read the buffer; it comes back when the hasher is done with it
            view = memoryview(buffer)
            full.put((buffer, got))
            write(view[:got])
            read.passed(got)
            size += got
            tick(got)
    finally:
        full.put(None)
        hasher.join()
    return Digest.from_raw(state.digest()), size


def check_size(path: str, length: int, expected: int) -> None:
    """Raise StateRefused ("file-changed") if the bytes read are not as many as were seen before."""
    if length != expected:
        raise StateRefused(
            f"{path} changed while it was read",
            code="file-changed",
            hint="run the same command again when nothing writes to it",
            details={"path": path},
        )


def unreadable(exc: OSError) -> MlopsError:
    """Return the error for a file that could not be read."""
    if isinstance(exc, FileNotFoundError):
        return StateRefused(
            f"{exc.filename} went away while it was read",
            code="file-changed",
            hint="run the same command again when nothing writes there",
            details={"path": exc.filename},
        )
    return OutsideWorld(
        f"cannot read {exc.filename}: {exc.strerror}",
        code="cannot-read",
        hint="check its permissions and run the same command again",
        details={"path": exc.filename},
    )
