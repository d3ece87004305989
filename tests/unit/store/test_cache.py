"""One door to whole objects and packs, which verifies whatever it serves."""

from __future__ import annotations

import os
import random
import stat
import threading
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.store.batch import LOOSE_UP_TO
from mlops_cli.store.cache import PACK_BELOW, Cache, open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.space.fold import fold


def many(cache: Cache, count: int = 100) -> list[Digest]:
    with cache.writer() as writer:
        return [writer.put(b"object %d" % number) for number in range(count)]


def flip(path: Path, at: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_what_is_put_is_read_again(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    digest = cache.put(b"hello")
    assert digest == Digest.of(b"hello")
    assert cache.has(digest)
    assert cache.size(digest) == 5
    assert cache.read(digest) == b"hello"
    assert cache.open(digest).read() == b"hello"
    assert list(cache.iterate()) == [digest]


def test_an_empty_object_is_an_object(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    assert cache.read(cache.put(b"")) == b""


def test_many_small_objects_share_one_pack_and_few_stay_whole(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    many(cache, LOOSE_UP_TO)
    assert not list((tmp_path / "cache/packs").glob("*.pack"))
    digests = many(cache, 1000)
    assert len(list((tmp_path / "cache/packs").glob("*.pack"))) == 1
    assert [cache.read(digest) for digest in digests] == [b"object %d" % n for n in range(1000)]
    assert sorted(cache.iterate()) == sorted(digests)


def test_storing_again_costs_no_space(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    many(cache)
    before = sorted(path for path in (tmp_path / "cache").rglob("*"))
    many(open_cache(tmp_path / "cache"))
    assert sorted(path for path in (tmp_path / "cache").rglob("*")) == before


def test_a_large_file_becomes_a_read_only_object(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    file = tmp_path / "big"
    file.write_bytes(os.urandom(9 << 20))  # hashed beside the copying, in a second thread
    digest = cache.put_file(file)
    assert digest == Digest.of(file.read_bytes())
    assert stat.S_IMODE(cache.objects.path(digest).stat().st_mode) == 0o444
    assert cache.copy_to(digest, tmp_path / "copy") == 9 << 20
    assert (tmp_path / "copy").read_bytes() == file.read_bytes()
    with cache.open(digest) as stream:
        assert stream.read(10) == file.read_bytes()[:10]


def test_packs_of_another_process_are_seen(tmp_path: Path) -> None:
    mine, other = open_cache(tmp_path / "cache"), open_cache(tmp_path / "cache")
    assert not mine.has(Digest.of(b"object 7"))
    many(other)
    assert mine.read(Digest.of(b"object 7")) == b"object 7"


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    with pytest.raises(RuntimeError), cache.writer() as writer:
        for number in range(100):
            writer.put(b"object %d" % number)
        raise RuntimeError
    left = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert left == ["gc.lock"]


def test_what_is_not_here_is_missing_and_says_how_to_get_it(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    digest = Digest.of(b"elsewhere")
    assert cache.missing([digest, cache.put(b"here")]) == {digest}
    for ask in (cache.read, cache.size, cache.open):
        with pytest.raises(NotFound) as caught:
            ask(digest)
        assert caught.value.code == "missing-object"
        assert caught.value.hint == "mlops pull"
        assert digest in caught.value.message


def test_a_flipped_byte_in_a_whole_object_is_never_served(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    file = tmp_path / "big"
    file.write_bytes(os.urandom(PACK_BELOW))
    digest = cache.put_file(file)
    flip(cache.objects.path(digest), 1000)
    with pytest.raises(IntegrityError) as caught:
        cache.copy_to(digest, tmp_path / "copy")
    assert caught.value.code == "damaged-object"
    assert caught.value.hint == "mlops verify --repair"
    assert digest in caught.value.message
    assert not (tmp_path / "copy").exists()
    assert not cache.has(digest)
    assert cache.objects.aside(digest).is_file()
    with pytest.raises(IntegrityError):  # also the second time, when it has been set aside
        cache.read(digest)
    cache.put_file(file)
    assert cache.read(digest) == file.read_bytes()


def test_a_stream_over_a_damaged_object_fails_at_its_end(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    file = tmp_path / "big"
    file.write_bytes(os.urandom(3 << 20))
    digest = cache.put_file(file)
    flip(cache.objects.path(digest), 5)
    with cache.open(digest) as stream, pytest.raises(IntegrityError):
        while stream.read(1 << 20):
            pass


def test_a_flipped_byte_in_a_pack_takes_out_one_object_only(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    digests = many(cache)
    (pack,) = (tmp_path / "cache/packs").glob("*.pack")
    flip(pack)  # the last byte of the last object
    with pytest.raises(IntegrityError) as caught:
        cache.read(digests[-1])
    assert caught.value.code == "damaged-object"
    assert cache.missing(digests) == {digests[-1]}
    assert open_cache(tmp_path / "cache").missing(digests) == {digests[-1]}
    assert all(cache.read(digest) for digest in digests[:-1])
    cache.put(b"object 99")
    assert cache.read(digests[-1]) == b"object 99"


def test_an_object_that_lies_in_two_packs_survives_the_loss_of_one(tmp_path: Path) -> None:
    first, second = open_cache(tmp_path / "cache"), open_cache(tmp_path / "cache")
    with first.writer() as one, second.writer() as two:
        for number in range(50):
            digest = one.put(b"object %d" % number)
            two.put(b"object %d" % number)
        one.put(b"only in one")
    packs = sorted((tmp_path / "cache/packs").glob("*.pack"))
    assert len(packs) == 2
    for pack in packs[:1]:
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:20])
    assert open_cache(tmp_path / "cache").read(digest) == b"object 49"


def test_threads_may_share_a_cache(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    digests = [digest for _ in range(3) for digest in many(cache, 200)]
    wrong: list[Digest] = []

    def read() -> None:
        wrong.extend(d for n, d in enumerate(digests) if cache.read(d) != b"object %d" % (n % 200))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_a_killed_process_left_is_swept_when_it_is_old(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    (tmp_path / "cache/tmp").mkdir(parents=True)
    old, young = tmp_path / "cache/tmp/.tmp-mlops-1-a", tmp_path / "cache/tmp/.tmp-mlops-1-b"
    for path in (old, young):
        path.write_text("half")
    os.utime(old, (0, 0))
    cache.put(b"single objects do not look")
    assert old.exists()
    many(cache)
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("folded", [False, True])
def test_who_stops_in_the_middle_of_a_damaged_object_hears_of_it(
    tmp_path: Path, folded: bool
) -> None:
    cache = open_cache(tmp_path / "cache")
    data = random.Random(8).randbytes(3 << 20)
    (tmp_path / "file").write_bytes(data)
    digest = cache.put_file(tmp_path / "file")
    if folded:
        fold(cache, [digest])
        (place,) = (tmp_path / "cache/cold/packs").glob("*.pack")
    else:
        place = cache.objects.path(digest)
    with cache.open(digest) as stream:
        assert stream.read(10) == data[:10]
    place.chmod(0o644)
    with place.open("r+b") as file:
        file.seek(2_900_000)
        file.write(b"wrong")
    with pytest.raises(IntegrityError), cache.open(digest) as stream:
        assert stream.read(10) == data[:10]
    with pytest.raises((IntegrityError, NotFound)):
        cache.read(digest)


@pytest.mark.parametrize("kind", ["a pipe", "a folder"])
def test_what_is_no_file_has_no_bytes_and_nobody_waits_for_it(tmp_path: Path, kind: str) -> None:
    cache = open_cache(tmp_path / "cache")
    digest = cache.put(b"x" * PACK_BELOW)
    place = cache.objects.path(digest)
    place.unlink()
    os.mkfifo(place) if kind == "a pipe" else place.mkdir()
    cache = open_cache(tmp_path / "cache")
    assert not cache.has(digest)
    for read in (
        cache.read,
        cache.open,
        cache.stream,
        lambda one: cache.copy_to(one, tmp_path / "x"),
    ):
        with pytest.raises(NotFound, match="is not in the cache") as refused:
            getattr(read(digest), "read", bytes)()
        assert refused.value.code == "missing-object"
