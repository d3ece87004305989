"""Small objects together in one file, found through an index that is never loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_cli.store import packs
from mlops_cli.store.cache import open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.pack_index import index_name, index_rows, well_formed, write_index
from mlops_cli.store.packer import Packer
from mlops_cli.store.packs import PackStore


def sealed(root: Path, contents: list[bytes]) -> Path:
    packer = Packer(root)
    for data in contents:
        packer.add(Digest.of(data).raw, data)
    path = packer.seal()
    assert path is not None
    return path


def test_an_index_is_called_by_its_digest_and_lies_beside_its_pack(tmp_path: Path) -> None:
    index = sealed(tmp_path, [b"a", b"b"])
    assert index.stem == index_name(index.read_bytes())
    assert index.with_suffix(".pack").read_bytes().startswith(packs.PACK_MAGIC)


def test_objects_that_are_not_there_are_not_found(tmp_path: Path) -> None:
    contents = [b"%d" % number for number in range(3000)]
    sealed(tmp_path, contents)
    store = PackStore(tmp_path)
    assert all(store.find(Digest.of(data).raw) for data in contents)
    assert not any(store.find(Digest.of(b"x%d" % number).raw) for number in range(3000))


def test_an_open_pack_is_sealed_when_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "SEAL_AT", 10_000)
    cache = open_cache(tmp_path)
    with cache.writer() as writer:
        digests = [writer.put(b"%d" % number * 100) for number in range(200)]
    assert len(list((tmp_path / "packs").glob("*.idx"))) > 3
    assert cache.missing(digests) == set()


def test_an_index_of_another_shape_is_passed_over(tmp_path: Path) -> None:
    good = sealed(tmp_path, [b"a"])
    for name, data in {
        "0" * 64: b"",
        "1" * 64: b"garbage",
        "2" * 64: good.read_bytes()[:-1],
        "3" * 64: b"x" * len(good.read_bytes()),
    }.items():
        (tmp_path / "packs" / f"{name}.idx").write_bytes(data)
        assert not well_formed(data)
    store = PackStore(tmp_path)
    assert store.names() == [good.stem]
    assert store.find(Digest.of(b"a").raw)


def test_an_index_without_its_pack_is_forgotten(tmp_path: Path) -> None:
    index = sealed(tmp_path, [b"a"])
    index.with_suffix(".pack").unlink()
    cache = open_cache(tmp_path)
    with pytest.raises(Exception, match="not in the cache"):
        cache.read(Digest.of(b"a"))
    assert not index.exists()


def test_a_pack_that_got_a_new_name_meanwhile_is_found_again(tmp_path: Path) -> None:
    contents = [b"%d" % number for number in range(100)]
    sealed(tmp_path, contents)
    mine, other = open_cache(tmp_path), open_cache(tmp_path)
    assert mine.has(Digest.of(b"5"))
    place = other.packs.find(Digest.of(b"7").raw)
    assert place is not None
    other.packs.drop(Digest.of(b"7").raw, place.pack)
    assert mine.read(Digest.of(b"5")) == b"5"
    assert not other.has(Digest.of(b"7"))


def test_rows_are_sorted_and_lead_to_the_bytes(tmp_path: Path) -> None:
    contents = [b"%d" % number * number for number in range(1, 300)]
    index = sealed(tmp_path, contents)
    data = index.with_suffix(".pack").read_bytes()
    found = list(index_rows(index.read_bytes()))
    assert [raw for raw, _, _ in found] == sorted(raw for raw, _, _ in found)
    for raw, offset, length in found:
        assert Digest.of(data[offset : offset + length]).raw == raw
        assert packs.RECORD.unpack(data[offset - packs.RECORD.size : offset]) == (raw, length)
    assert write_index({raw: (offset, length) for raw, offset, length in found}) == (
        index.read_bytes()
    )
