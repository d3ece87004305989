"""md5 beside sha256, in one reading; and the md5 of text as DVC took it before 3.0."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from mlops_cli.store.digest import Digest

CHUNK = 1 << 20  # DVC read as much at a time, and \r\n across two of them stayed \r\n
_HEAD = 512
_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"
_APART = 8 << 20  # bytes from which a second thread is worth its start


class Sums(NamedTuple):
    """What some bytes are called by DVC and by mlops."""

    md5: str
    digest: Digest
    size: int


def of_bytes(data: bytes) -> Sums:
    """Return the sums of `data`."""
    return Sums(hashlib.md5(data, usedforsecurity=False).hexdigest(), Digest.of(data), len(data))


def of_handle(source: int, target: int | None = None) -> Sums:
    """Return the sums of what can be read from `source`, copied to `target` on the way."""
    if os.fstat(source).st_size < _APART:
        return _summed(source, target, None)
    with ThreadPoolExecutor(1) as beside:
        return _summed(source, target, beside)


def _summed(source: int, target: int | None, beside: ThreadPoolExecutor | None) -> Sums:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    size = 0
    while chunk := os.read(source, CHUNK):
        # both sums release the interpreter lock, md5 is the slower one by half
        waiting = beside.submit(md5.update, chunk) if beside else None
        sha256.update(chunk)
        if target is not None:
            _write(target, chunk)
        if waiting is None:
            md5.update(chunk)
        else:
            waiting.result()
        size += len(chunk)
    return Sums(md5.hexdigest(), Digest.from_raw(sha256.digest()), size)


def of_file(path: Path) -> Sums:
    """Return the sums of the file at `path`."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return of_handle(handle)
    finally:
        os.close(handle)


def legacy_of(chunks: Callable[[], Any]) -> tuple[str, str]:
    """Return the md5 that DVC before 3.0 may have given to bytes that come in `CHUNK`s.

    It judged by the first bytes whether all is text; later versions judged each chunk.
    """
    at_once, each = hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False)
    all_text: bool | None = None
    for chunk in chunks():
        text = _is_text(chunk[:_HEAD])
        all_text = text if all_text is None else all_text
        unix = chunk.replace(b"\r\n", b"\n")
        at_once.update(unix if all_text else chunk)
        each.update(unix if text else chunk)
    return at_once.hexdigest(), each.hexdigest()


def legacy_of_file(path: Path) -> tuple[str, str]:
    """Return what `legacy_of` says of a file."""

    def chunks() -> Any:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                yield chunk

    return legacy_of(chunks)


def legacy_of_bytes(data: bytes) -> tuple[str, str]:
    """Return what `legacy_of` says of bytes."""
    return legacy_of(lambda: (data[at : at + CHUNK] for at in range(0, len(data), CHUNK)))


def _is_text(block: bytes) -> bool:
    if b"\0" in block:
        return False
    return not block or len(block.translate(None, _TEXT)) / len(block) <= 0.30


def _write(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
