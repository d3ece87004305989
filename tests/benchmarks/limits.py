"""What the disk and the processor can do at all: the least that each operation must cost."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from worlds import many

FILES, LARGE = 20_000, 512 << 20


def limits(work: Path) -> Iterator[tuple[str, float]]:
    """Yield a name and seconds, each for 20,000 files of 4 KiB or for 512 MiB in one file."""
    source = work / "files"
    many(source, files=FILES)
    start = time.perf_counter()
    found = [entry.path for folder in os.scandir(source) for entry in os.scandir(folder)]
    for path in found:
        os.lstat(path)
    yield "scandir and lstat of 20k files", time.perf_counter() - start
    start = time.perf_counter()
    read = [_read(path) for path in found]
    yield "read 20k files", time.perf_counter() - start
    start = time.perf_counter()
    for data in read:
        hashlib.sha256(data).digest()
    yield "sha256 of 20k files, one core", time.perf_counter() - start
    start = time.perf_counter()
    with (work / "pack").open("wb") as pack:
        for data in read:
            pack.write(data)
    yield "write 20k files into one", time.perf_counter() - start
    (work / "copies").mkdir()
    start = time.perf_counter()
    for number, data in enumerate(read):
        handle = os.open(work / "copies" / str(number), os.O_WRONLY | os.O_CREAT)
        os.write(handle, data)
        os.close(handle)
    yield "write 20k files", time.perf_counter() - start
    data = os.urandom(LARGE)
    start = time.perf_counter()
    (work / "large").write_bytes(data)
    yield "write 512 MiB", time.perf_counter() - start
    start = time.perf_counter()
    os.sync()
    yield "flush 512 MiB", time.perf_counter() - start
    start = time.perf_counter()
    hashlib.sha256(data).digest()
    yield "sha256 of 512 MiB, one core", time.perf_counter() - start


def _read(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.read(handle, 1 << 16)
    finally:
        os.close(handle)
