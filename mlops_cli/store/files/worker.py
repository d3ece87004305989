"""Reads files, hashes them and, where wanted, keeps them; alone in a process or as one of several.

The process speaks on its standard streams: frames of a 4-byte length and marshalled values, which
only ever pass between two interpreters of the same kind on one machine. It starts in a few
milliseconds because it imports nothing but the store, and it shares nothing with its parent: no
threads, locks or open files to inherit.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from mlops_cli.errors import MlopsError
from mlops_cli.store import hashing
from mlops_cli.store.cache import PACK_BELOW, BatchWriter, open_cache

Batch = tuple[str, list[str], list[int]]  # folder, names in it, their sizes
Done = Callable[[list[bytes]], None]  # takes one answer for each name


class Reader:
    """Takes batches of files in one folder and answers with their digests, in order."""

    def __init__(self, writer: BatchWriter | None, tick: hashing.Tick = hashing.nothing) -> None:
        self._writer = writer
        self._tick = tick  # told the pieces of files that go into no pack

    def take(self, folder: str, names: list[str], sizes: list[int]) -> list[bytes]:
        """Return the raw digests of these files; with a writer they are stored as well.

        Raises StateRefused ("file-changed") for one that is stored and has another size, OSError.
        """
        path = folder
        digests = []
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # through the handle, the kernel looks up one name and not a long path for each file
            for name, size in zip(names, sizes, strict=True):
                path = f"{folder}/{name}"
                if size >= PACK_BELOW:
                    digests.append(self._large(path, size))
                    continue
                data = hashing.read_exactly(name, size, dir_fd=handle)
                raw = sha256(data).digest()
                if self._writer is not None:
                    hashing.check_size(path, len(data), size)
                    self._writer.add_raw(raw, data)
                digests.append(raw)
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror, path) from exc
        finally:
            os.close(handle)
        return digests

    def _large(self, path: str, size: int) -> bytes:
        if self._writer is None:
            return hashing.hash_file(path, self._tick)[0].raw
        digest, length = self._writer.objects.put_file(Path(path), tick=self._tick)
        hashing.check_size(path, length, size)
        self._writer.rely(digest.raw)
        return digest.raw


def send(stream: BinaryIO, value: Any) -> None:
    """Write one frame."""
    data = marshal.dumps(value)
    view = memoryview(len(data).to_bytes(4, "big") + data)
    while view:  # a stream without a buffer takes what it takes
        view = view[stream.write(view) :]
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Return the value of the next frame, None at the end of the stream."""
    head = _exactly(stream, 4)
    if len(head) < 4:
        return None
    return marshal.loads(_exactly(stream, int.from_bytes(head, "big")))


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data


def serve(take: Callable[[Any], Any], seal: Callable[[], None]) -> None:
    """Answer orders (number, …) with (number, what `take` makes of the rest) until told to seal."""
    # what the parent reads is not to be mixed with what a library might print
    answers = os.fdopen(os.dup(1), "wb", buffering=0)  # nothing is left to flush when it breaks
    os.dup2(2, 1)
    try:
        while (order := receive(sys.stdin.buffer)) is not None:
            answer = _carry_out(order, take, seal)
            send(answers, answer)
            if not isinstance(answer[0], int):
                break
    except BrokenPipeError:
        pass  # the parent has stopped listening; it says why


def main(root: str) -> None:
    """Serve batches until told to seal; if the parent dies instead, drop what was packed."""
    writer = None
    if root:
        cache = open_cache(Path(root))
        writer = BatchWriter(cache.root, cache.objects, cache.packs, pack_always=True)
    reader = Reader(writer)
    try:
        serve(lambda batch: reader.take(*batch), writer.close if writer else lambda: None)
    finally:
        if writer is not None:
            writer.packer.abandon()


def _carry_out(order: Any, take: Callable[[Any], Any], seal: Callable[[], None]) -> tuple[Any, Any]:
    try:
        if order == "seal":
            seal()
            return ("sealed", None)
        return (order[0], take(order[1:]))
    except MlopsError as exc:
        details = {name: str(value) for name, value in exc.details.items()}
        return ("error", (type(exc).__name__, exc.message, exc.code, exc.hint, details))
    except OSError as exc:
        return ("oserror", (exc.errno, exc.strerror, str(exc.filename or "")))
