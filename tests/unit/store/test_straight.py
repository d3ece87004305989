"""What is written past the page cache is what was given, whatever lengths and disks allow."""

from __future__ import annotations

import hashlib
import mmap
import os
from pathlib import Path

import pytest

from mlops_cli.store import hashing, straight
from mlops_cli.store.cache import open_cache


def test_a_large_file_of_an_odd_length_is_stored_byte_for_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(straight, "FROM", 9 << 20)
    path = tmp_path / "large.bin"
    data = os.urandom(10 << 20) + b"tail"
    path.write_bytes(data)
    cache = open_cache(tmp_path / "cache")
    digest = cache.put_file(path)
    assert digest.hex == hashlib.sha256(data).hexdigest()
    assert cache.objects.path(digest).read_bytes() == data
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


@pytest.mark.parametrize("folder", ["disk", "memory"])
@pytest.mark.parametrize("lengths", [(4096, 8192), (4096, 5, 4096), (3,), (8192, 4097)])
def test_any_lengths_give_the_same_bytes(tmp_path, folder, lengths):
    if folder == "memory" and not Path("/dev/shm").is_dir():
        pytest.skip("no disk in memory here")
    place = tmp_path if folder == "disk" else Path("/dev/shm")
    path = place / f"straight-{os.getpid()}-{len(lengths)}"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        out = straight.Straight(handle)
        buffer = mmap.mmap(-1, 16384)
        expected = b""
        for length in lengths:
            buffer[:length] = piece = os.urandom(length)
            out.write(memoryview(buffer)[:length])
            expected += piece
        os.fsync(handle)
        assert path.read_bytes() == expected
    finally:
        os.close(handle)
        path.unlink()


def test_memory_that_does_not_begin_at_a_page_is_written_all_the_same(tmp_path):
    handle = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    try:
        data = os.urandom(3 * 4096)
        straight.Straight(handle).write(memoryview(b"x" + data)[1:])
        assert (tmp_path / "file").read_bytes() == data
    finally:
        os.close(handle)


def test_reads_that_fall_short_are_hashed_and_written_as_they_come(tmp_path):
    read, write = os.pipe()
    os.write(write, b"abc")
    os.close(write)
    target = os.open(tmp_path / "copy", os.O_RDWR | os.O_CREAT)
    try:
        out = straight.Straight(target).write
        ticks: list[int] = []
        digest, size = hashing._copy_overlapped(read, out, ticks.append, 3)
    finally:
        os.close(target)
        os.close(read)
    assert (size, (tmp_path / "copy").read_bytes(), sum(ticks)) == (3, b"abc", 3)
    assert digest.hex == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("tail", [0, 1, 4096])
def test_what_is_not_in_memory_is_read_to_its_last_byte(tmp_path, monkeypatch, tail):
    monkeypatch.setattr(straight, "FROM", 9 << 20)
    data = os.urandom((9 << 20) + tail)
    path = tmp_path / "cold"
    path.write_bytes(data)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    digest, size = hashing.hash_file(path)
    assert (digest.hex, size) == (hashlib.sha256(data).hexdigest(), len(data))


def test_a_short_read_in_the_middle_is_gone_on_from(tmp_path):
    data = os.urandom(3 * 4096)
    path = tmp_path / "file"
    path.write_bytes(data)
    handle = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        reader = straight.Reader(handle, straight.FROM)
        os.lseek(handle, 5, os.SEEK_SET)  # as a read that fell short would leave it
        with mmap.mmap(-1, 16384) as buffer:
            got = reader.read(buffer)
            assert buffer[:got] == data[5:]
    finally:
        os.close(handle)
