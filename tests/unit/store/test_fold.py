"""Whole objects become chunks that versions share, and are served as if nothing had happened."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError, MissingExtra
from mlops_cli.store import chunks
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.packer import Packer
from mlops_cli.store.space.fold import fold


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def stored(cache: Cache, data: bytes) -> Digest:
    path = cache.root.parent / "workspace.bin"
    path.write_bytes(data)
    return cache.put_file(path)


def volume(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("compress", [False, True])
def test_a_folded_object_is_served_as_before(tmp_path: Path, compress: bool) -> None:
    cache = open_cache(tmp_path / "cache")
    data = noise(3 << 20) + bytes(3 << 20)
    digest = stored(cache, data)
    folded = fold(cache, [digest], compress=compress)
    assert (folded.objects, folded.before, folded.damaged) == (1, len(data), [])
    assert folded.after < ((3 << 20) * 1.01 if compress else len(data))  # zeros share their chunks
    assert not cache.objects.path(digest).exists()
    for seen in (cache, open_cache(tmp_path / "cache")):
        assert seen.has(digest)
        assert seen.size(digest) == len(data)
        assert seen.read(digest) == data
        assert seen.open(digest).read() == data
        assert list(seen.iterate()) == [digest]
        assert seen.copy_to(digest, tmp_path / f"copy-{seen is cache}") == len(data)
    assert (tmp_path / "copy-True").read_bytes() == data


def test_versions_share_what_they_share(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    first = noise(16 << 20)
    versions = [first, first + b"appended", first[: 8 << 20] + b"inserted" + first[8 << 20 :]]
    digests = [stored(cache, data) for data in versions]
    folded = fold(cache, digests)
    assert folded.objects == 3
    assert volume(tmp_path / "cache/cold") < len(first) * 1.15
    assert [cache.read(digest) for digest in digests] == versions


def test_small_objects_and_strangers_are_left_alone(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    small = stored(cache, noise(500_000))
    assert fold(cache, [small, Digest.of(b"never stored")]).objects == 0
    assert cache.objects.path(small).exists()


def test_a_damaged_object_is_not_folded(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    digest = stored(cache, noise(2 << 20))
    path = cache.objects.path(digest)
    path.chmod(0o644)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    assert fold(cache, [digest]).damaged == [digest]
    assert not cache.has(digest)
    with pytest.raises(IntegrityError):
        cache.read(digest)


@pytest.mark.parametrize("what", ["chunk", "recipe"])
def test_a_damaged_chunk_is_never_served(tmp_path: Path, what: str) -> None:
    cache = open_cache(tmp_path / "cache")
    digest = stored(cache, noise(2 << 20))
    fold(cache, [digest])
    (path,) = (tmp_path / "cache/cold").rglob("*.pack" if what == "chunk" else digest.hex[2:])
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    fresh = open_cache(tmp_path / "cache")
    with pytest.raises(IntegrityError) as caught:
        fresh.copy_to(digest, tmp_path / "out")
    assert caught.value.code == "damaged-object"
    assert not (tmp_path / "out").exists()
    assert not fresh.has(digest)
    assert isinstance(fresh.absent(digest), IntegrityError)
    stored(fresh, noise(2 << 20))
    assert fresh.read(digest) == noise(2 << 20)
    assert fold(fresh, [digest]).objects == 1  # the chunk is put where the wrong one was
    assert fresh.read(digest) == noise(2 << 20)


def test_an_object_that_cannot_be_read_back_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_cache(tmp_path / "cache")
    digest = stored(cache, noise(2 << 20))

    def torn(self: Packer) -> Path | None:  # between its seal and the reading back
        index = former(self)
        if index is not None:
            pack = index.with_suffix(".pack")
            pack.chmod(0o644)
            with pack.open("r+b") as handle:
                handle.truncate(1 << 20)
        return index

    former = Packer.seal
    monkeypatch.setattr(Packer, "seal", torn)
    assert fold(cache, [digest]).objects == 0
    assert cache.objects.path(digest).exists()
    assert cache.read(digest) == noise(2 << 20)


def test_without_a_cutter_nothing_is_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_cache(tmp_path / "cache")
    digest = stored(cache, noise(2 << 20))
    monkeypatch.setattr(chunks, "available", lambda: False)
    with pytest.raises(MissingExtra, match="compiled"):
        fold(cache, [digest])
    assert cache.objects.path(digest).exists()
