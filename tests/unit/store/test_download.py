"""From a URL into the cache: whole or not at all, hashed once, gone on with where it broke off."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import IntegrityError, MlopsError, NotFound, OutsideWorld
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.sources import source
from mlops_cli.store.sources.download import Downloaded, download, look
from mlops_cli.store.sources.source import Version
from mlops_cli.store.tree import parse_tree


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return open_cache(tmp_path / "cache")


def fetched(url: str, cache: Cache, waits: list[float] | None = None) -> Downloaded:
    return download(url, cache, wait=(waits if waits is not None else []).append)


def ranges(web: Any) -> list[str]:
    return [asked for _, _, asked in web.asked]


@pytest.mark.parametrize("size", [0, 5, 3 << 20])
def test_a_file_of_the_web_comes_whole_with_what_marks_it(
    web: Any, cache: Cache, size: int
) -> None:
    data = os.urandom(size)
    url = web.of("a.bin", data)
    got = fetched(url, cache)
    assert (got.digest, got.size, got.kind) == (Digest.of(data), size, "file")
    assert cache.read(got.digest) == data
    assert got.version == Version(web.etag(data), None, web.modified["a.bin"], size)
    assert look(url).same(got.version) is True
    assert [name for name in os.listdir(cache.root / "partial") if "lock" not in name] == []


def test_a_broken_transfer_goes_on_where_it_ended(web: Any, cache: Cache) -> None:
    data = os.urandom(3 << 20)
    web.cut = [1 << 20, 1 << 20]
    got = fetched(web.of("a.bin", data), cache)
    assert cache.read(got.digest) == data
    assert ranges(web) == ["", f"bytes={1 << 20}-", f"bytes={2 << 20}-"]


def test_another_process_goes_on_with_what_the_first_one_had(web: Any, cache: Cache) -> None:
    data = os.urandom(3 << 20)
    url = web.of("a.bin", data)
    web.cut = [1 << 20, 0, 0, 0, 0, 0, 0]
    with pytest.raises(OutsideWorld) as caught:
        fetched(url, cache)
    assert caught.value.code == "source-truncated"
    web.cut, web.asked[:] = [], []
    got = fetched(url, open_cache(cache.root))
    assert cache.read(got.digest) == data
    assert ranges(web) == [f"bytes={1 << 20}-"]


def test_a_file_that_changed_meanwhile_begins_again(web: Any, cache: Cache) -> None:
    url = web.of("a.bin", os.urandom(3 << 20))
    web.cut = [1 << 20, 0, 0, 0, 0, 0, 0]
    with pytest.raises(OutsideWorld):
        fetched(url, cache)
    after = os.urandom(2 << 20)
    web.cut = []
    web.of("a.bin", after, "Wed, 02 Jan 2013 00:00:00 GMT")
    got = fetched(url, cache)
    assert cache.read(got.digest) == after
    # and when it became shorter than what is here already
    web.cut = [1 << 20, 0, 0, 0, 0, 0, 0]
    with pytest.raises(OutsideWorld):
        fetched(web.of("b.bin", after), cache)
    web.cut = []
    got = fetched(web.of("b.bin", b"short"), cache)
    assert cache.read(got.digest) == b"short"


def test_without_ranges_or_marks_it_begins_again(web: Any, cache: Cache) -> None:
    data = os.urandom(1 << 20)
    web.ranges = web.etags = False
    web.cut = [1000, 1000]
    got = fetched(web.of("a.bin", data), cache)
    assert cache.read(got.digest) == data


def test_a_server_that_is_busy_is_asked_again_and_heard(web: Any, cache: Cache) -> None:
    waits: list[float] = []
    web.statuses = [503, 500, 429]
    got = fetched(web.of("a", b"x"), cache, waits)
    assert cache.read(got.digest) == b"x"
    assert len(waits) == 3 and waits == sorted(waits)


@pytest.mark.parametrize(
    ("status", "code", "exit_code", "asked"),
    [
        (404, "missing-source", 20, 1),
        (410, "missing-source", 20, 1),
        (401, "source-denied", 50, 1),
        (403, "source-denied", 50, 1),
        (400, "source-unavailable", 50, 1),
        (500, "source-unavailable", 50, 5),
        (429, "source-unavailable", 50, 5),
    ],
)
def test_each_refusal_is_named(
    web: Any, cache: Cache, status: int, code: str, exit_code: int, asked: int
) -> None:
    url = web.of("a", b"x")
    web.statuses = [status] * 9
    with pytest.raises(MlopsError) as caught:
        fetched(url, cache)
    assert (caught.value.code, caught.value.exit_code) == (code, exit_code)
    assert url in caught.value.message and caught.value.hint
    assert len(web.asked) == asked


def test_nobody_there_is_named(cache: Cache) -> None:
    with pytest.raises(OutsideWorld) as caught:
        fetched("http://127.0.0.1:9/a", cache)
    assert caught.value.code == "source-unavailable"


def test_a_redirection_leads_only_to_the_web(web: Any, cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    for there in (f"file://{tmp_path}/secret", "ftp://127.0.0.1/x"):
        web.redirect = there
        with pytest.raises(OutsideWorld):
            fetched(web.of("a", b"x"), cache)


def test_a_server_without_head_is_looked_at_all_the_same(web: Any) -> None:
    web.head = False
    assert look(web.of("a", b"x")).etag == web.etag(b"x")


def test_memory_stays_bounded(web: Any, cache: Cache) -> None:
    url = web.of("a.bin", bytes(32 << 20))
    tracemalloc.start()
    try:
        fetched(url, cache)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_file_and_a_folder_of_this_disk_come_too(tmp_path: Path, cache: Cache) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/a").write_bytes(b"1")
    (tmp_path / "in/deep/b").write_bytes(b"22")
    url = source.spell("in", start=tmp_path)
    got = fetched(url, cache)
    assert (got.kind, got.size, got.files) == ("tree", 3, 2)
    assert [entry.name for entry in parse_tree(cache.read(got.digest))] == ["a", "deep"]
    assert look(url).same(got.version) is True
    (tmp_path / "in/a").write_bytes(b"3")
    assert look(url).same(got.version) is False
    one = fetched(f"{url}/a", cache)
    assert cache.read(one.digest) == b"3" and one.version.modified
    with pytest.raises(NotFound) as caught:
        fetched(f"{url}/none", cache)
    assert caught.value.code == "missing-source"


def test_an_object_of_s3_comes_with_its_etag(s3: Any, cache: Cache, monkeypatch: Any) -> None:
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    url = s3.url()
    data = os.urandom(9 << 20)
    s3.filesystem().pipe_file(f"{url}/deep/a.bin", data)
    got = fetched(f"{url}/deep/a.bin", cache)
    assert cache.read(got.digest) == data
    assert got.version.etag and look(f"{url}/deep/a.bin").same(got.version) is True
    s3.filesystem().pipe_file(f"{url}/deep/b.bin", b"2")
    whole = fetched(url, cache)
    assert (whole.kind, whole.files, whole.size) == ("tree", 2, len(data) + 1)
    with pytest.raises(NotFound):
        fetched(f"{url}/none", cache)


def test_a_version_of_s3_is_pinned(ministack_s3: Any, cache: Cache, monkeypatch: Any) -> None:
    for name, value in ministack_s3.env.items():
        monkeypatch.setenv(name, value)
    files = ministack_s3.filesystem()
    files.call_s3(
        "put_bucket_versioning",
        Bucket=ministack_s3.bucket,
        VersioningConfiguration={"Status": "Enabled"},
    )
    url = ministack_s3.url()
    files.pipe_file(f"{url}/a", b"one")
    got = fetched(f"{url}/a", cache)
    assert got.version.version
    files.pipe_file(f"{url}/a", b"two")
    assert look(f"{url}/a").same(got.version) is False


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "bad-url"),
        ("-x", "bad-url"),
        ("https://", "bad-url"),
        ("simplecache::https://host/x", "bad-url"),
        ("https://host/x\ny", "bad-url"),
        ("https://me:word@host/x", "credentials-in-url"),
        ("https://host/x?X-Amz-Signature=word", "credentials-in-url"),
        ("https://host/x?sig=word", "credentials-in-url"),
        ("https://host/x?access_token=word", "credentials-in-url"),
        ("s3://key:word@bucket/x", "credentials-in-url"),
    ],
)
def test_a_url_that_is_none_or_holds_a_secret_is_refused(
    url: str, code: str, tmp_path: Path
) -> None:
    with pytest.raises(MlopsError) as caught:
        source.spell(url, start=tmp_path)
    assert caught.value.code == code and "word" not in caught.value.message


def test_two_looks_are_compared_by_the_strongest_sign() -> None:
    assert Version(version="1", etag="a").same(Version(version="1", etag="b")) is True
    assert Version(etag='"a"').same(Version(etag='W/"a"')) is True
    assert Version(etag="a", size=1).same(Version(etag="a", size=2)) is False
    assert Version(modified="x", size=1).same(Version(modified="x", size=1)) is True
    assert Version(size=1).same(Version(size=1)) is None


def test_bytes_that_were_damaged_on_the_disk_are_fetched_again(web: Any, cache: Cache) -> None:
    data = os.urandom(2 << 20)
    url = web.of("a", data)
    got = fetched(url, cache)
    path = cache.objects.path(got.digest)
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(IntegrityError):
        cache.read(got.digest)
    assert cache.read(fetched(url, cache).digest) == data
