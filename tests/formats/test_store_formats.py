"""The worked examples of docs/formats: what is written there is what is written on the disk."""

from __future__ import annotations

import hashlib
import os
import re
import struct
from pathlib import Path

from mlops_cli.store import pack_index, statcache
from mlops_cli.store.cache import open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import ingest
from mlops_cli.store.packer import Packer
from mlops_cli.store.tree import Entry, write_tree

PAGES = Path(__file__).parents[2] / "docs" / "formats"


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text()


def example(folder: Path) -> Path:
    data = folder / "data"
    (data / "empty").mkdir(parents=True)
    (data / "bin").mkdir()
    (data / "hello.txt").write_bytes(b"hello\n")
    (data / "bin/run").write_bytes(b"#!/bin/sh\n")
    (data / "bin/run").chmod(0o755)
    (data / "latest").symlink_to("hello.txt")
    return data


def test_the_page_of_objects_lists_what_add_stores(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    ingest(example(tmp_path), cache=cache)
    shown = set(re.findall(r"^objects/[0-9a-f/]+", page("objects"), re.MULTILINE))
    files = [path for path in (tmp_path / "cache/objects").rglob("*") if path.is_file()]
    assert shown == {str(path.relative_to(tmp_path / "cache")) for path in files}
    for path in files:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name + path.name
        assert path.stat().st_mode & 0o777 == 0o444


def test_the_page_of_trees_shows_the_listings(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    stored = ingest(example(tmp_path), cache=cache)
    assert f"{stored.digest}`, {stored.size} bytes in {stored.files} files" in page("trees")
    shown = re.findall(r"```\n(mlops\.tree/1\n(?:\w+ [0-9a-f]{64} .*\n)+)```", page("trees"))
    assert len(shown) == 2
    for text in shown:
        head, *lines = text.splitlines()
        listing = f"{head}\n".encode() + b"".join(f"{line}\0".encode() for line in lines)
        digest = Digest.of(listing)
        assert cache.read(digest) == listing
        assert digest in page("trees")


def test_the_page_of_packs_gives_every_byte(tmp_path: Path) -> None:
    packer = Packer(tmp_path)
    for data in (b"a", b"b"):
        packer.add(Digest.of(data).raw, data)
    index = packer.seal()
    assert index is not None
    pack = index.with_suffix(".pack").read_bytes()
    text = page("packs")
    assert f"`{index.name}` of {index.stat().st_size:,} bytes" in text
    assert f"`{index.stem}.pack` of {len(pack)} bytes" in text
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    digits = "".join(line.split()[0] for line in blocks[0].splitlines())
    assert digits == pack.hex()
    head, _, *rows = ["".join(line.split()) for line in blocks[1].splitlines()]
    assert index.read_bytes().hex().startswith(head)
    assert index.read_bytes().hex().endswith("".join(rows))
    fanout = struct.unpack_from(">256I", index.read_bytes(), 16)
    assert fanout == (0,) * 0x3E + (1,) * (0xCA - 0x3E) + (2,) * (0x100 - 0xCA)


def test_a_reader_written_from_the_page_alone_finds_every_object(tmp_path: Path) -> None:
    packer = Packer(tmp_path)
    contents = [b"%d" % number * number for number in range(1, 200)]
    for data in contents:
        packer.add(hashlib.sha256(data).digest(), data)
    index = packer.seal()
    assert index is not None
    rows, pack = index.read_bytes(), index.with_suffix(".pack").read_bytes()
    for data in contents:
        raw = hashlib.sha256(data).digest()
        fanout = (0, *struct.unpack(">256I", rows[16:1040]))
        for row in range(fanout[raw[0]], fanout[raw[0] + 1]):
            found, offset, length = struct.unpack_from(">32sQQ", rows, 1040 + 48 * row)
            if found == raw:
                assert pack[offset : offset + length] == data
                break
        else:
            raise AssertionError(data)
    # and the pack alone is enough to make its index again
    at, again = 13, {}
    while at < len(pack):
        raw, length = struct.unpack_from(">32sQ", pack, at)
        again[raw] = (at + 40, length)
        at += 40 + length
    assert pack_index.write_index(again) == rows


def test_the_page_of_the_stat_cache_gives_every_byte(tmp_path: Path) -> None:
    time = 1_700_000_000_123_456_789
    known = statcache.Known(
        statcache.encoded(["hello.txt"]),
        statcache.FACTS.pack(6, time, time, 42, 0o100644),
        Digest.of(b"hello\n").raw,
        Digest.of(write_tree([Entry("hello.txt", "file", Digest.of(b"hello\n"), 6)])).raw,
        6,
    )
    cache = statcache.StatCache(tmp_path / "stat.sqlite")
    cache.replace([("/w", known)])
    assert cache.load("/w") == {"/w": known}
    block = page("stat-cache").split("## Example")[1].split("```")[1]
    shown = dict(line.split(None, 1) for line in block.strip().splitlines())
    assert {name: text.replace(" ", "") for name, text in shown.items()} == {
        "path": "/w",
        "names": known.names.hex(),
        "facts": known.facts.hex(),
        "digests": known.digests.hex(),
        "tree": known.tree.hex(),
        "size": "6",
    }
    table = page("stat-cache").split("```sql\n")[1].split("```")[0]
    assert table.split() == statcache._TABLE.replace("IF NOT EXISTS ", "").split()


def test_a_stat_cache_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "stat.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE folders(something_else TEXT)")
    other.execute("PRAGMA user_version=99")
    other.close()
    (tmp_path / "file").write_bytes(b"x")
    os.utime(tmp_path / "file")
    cache = statcache.StatCache(path)
    found = (tmp_path / "file").lstat()
    cache.remember(tmp_path / "file", found, Digest.of(b"x"), stamp=found.st_ctime_ns + 10**10)
    assert cache.lookup(tmp_path / "file", found) == Digest.of(b"x")
