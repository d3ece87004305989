"""Large files go by and leave nothing in memory that was not there; every byte is as it was."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from mlops_cli import fsio
from mlops_cli.store import footprint, hashing
from mlops_cli.store.cache import open_cache

LARGE = 20 << 20


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of an odd length that counts as large; its bytes are on the disk."""
    monkeypatch.setattr(footprint, "FROM", LARGE)
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.write(os.urandom(LARGE) + b"tail")
        os.fsync(file.fileno())
    return path


def test_a_large_file_is_stored_and_comes_back_byte_for_byte(large: Path) -> None:
    cache = open_cache(large.parent / "cache")
    digest = cache.put_file(large)
    assert digest.hex == hashlib.sha256(large.read_bytes()).hexdigest()
    assert cache.objects.path(digest).read_bytes() == large.read_bytes()
    cache.copy_to(digest, large.parent / "copy")
    assert (large.parent / "copy").read_bytes() == large.read_bytes()
    assert list((large.parent / "cache/tmp").iterdir()) == []


def test_what_had_to_come_from_the_disk_goes_again(large: Path) -> None:
    def goes(*, read: bool) -> bool:
        with on_disk(large.read_bytes()) as file:
            if read:
                hashing.hash_handle(file.fileno())
            return footprint.absent(file.fileno())

    if not any(goes(read=False) for _ in range(20)):
        pytest.skip("this disk is memory, or cannot tell what is in memory")
    assert any(goes(read=True) for _ in range(20)), "a disk may keep a page, but not each time"


def test_what_was_in_memory_stays_there(large: Path) -> None:
    def stays() -> bool:
        large.read_bytes()
        hashing.hash_file(large)
        with large.open("rb") as file:
            return not footprint.absent(file.fileno())

    assert any(stays() for _ in range(20)), "memory may be wanted by others, but not each time"


def test_reads_that_fall_short_are_hashed_and_written_as_they_come(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"abc")
    source = os.open(tmp_path / "source", os.O_RDONLY)
    target = os.open(tmp_path / "copy", os.O_RDWR | os.O_CREAT)
    ticks: list[int] = []

    def write(view: memoryview) -> None:
        fsio.write_all(target, view)

    try:
        behind = footprint.Footprint(source, 3)
        digest, size = hashing._copy_overlapped(source, write, ticks.append, behind)
    finally:
        os.close(target)
        os.close(source)
    assert (size, (tmp_path / "copy").read_bytes(), sum(ticks)) == (3, b"abc", 3)
    assert digest.hex == hashlib.sha256(b"abc").hexdigest()


@contextlib.contextmanager
def on_disk(data: bytes) -> Iterator[IO[bytes]]:
    """Offer a file on a disk, of which hardly a page is in memory any more."""
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        footprint.forget(file.fileno(), 0, len(data))
        file.seek(0)
        yield file
