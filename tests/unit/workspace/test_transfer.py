"""Push and fetch between a cache and a real remote: a folder, and an S3 server."""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.errors import IntegrityError, NotFound, OutsideWorld
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.closure import Root, closure
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import ingest
from mlops_cli.store.remotes.kinds import open_remote
from mlops_cli.store.remotes.layout import check_format
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.transfer import sending
from mlops_cli.store.transfer.fetch import fetch
from mlops_cli.store.transfer.remote_index import RemoteIndex, memory, refresh
from mlops_cli.store.transfer.transfer import Sent, plan_push, push
from mlops_cli.store.tree import Entry, write_tree

NOW = datetime(2013, 1, 31, tzinfo=UTC)


@pytest.fixture(params=["folder", "s3"])
def remote(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Remote:
    if request.param == "folder":
        return open_remote(f"file://{tmp_path}/remote", root=tmp_path)
    server = request.getfixturevalue("s3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret)
    return open_remote(
        server.url(), {"endpoint": server.endpoint, "region": "us-east-1"}, root=tmp_path
    )


def some_data(folder: Path, *, files: int = 300, seed: int = 0) -> None:
    rng = random.Random(seed)
    for number in range(files):
        place = folder / f"{number % 7}" / f"{number}.bin"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(rng.randbytes(rng.randrange(0, 6000)))
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "large.bin").write_bytes(rng.randbytes(3_000_000))
    (folder / "link").symlink_to("0/0.bin")
    (folder / "0/0.bin").chmod(0o755)


def stored(folder: Path, cache: Cache) -> Root:
    found = ingest(folder, cache=cache)
    return Root("data", found.digest, found.kind, found.size, found.files)


def look(cache: Cache, remote: Remote, *, thorough: bool = True) -> RemoteIndex:
    check_format(remote, create=True)
    return refresh(remote, memory(cache.root, remote.id), now=NOW, thorough=thorough)


def erase(remote: Remote, name: str) -> None:
    if remote.folder:
        (remote.folder / name).unlink()
    else:
        remote.backend.filesystem.rm_file(f"{remote.url.removeprefix('s3://')}/{name}")


def send(cache: Cache, remote: Remote, *roots: Root) -> Sent:
    index = look(cache, remote)
    return push(plan_push(cache, index, roots), cache, remote, index)[0]


def bring(cache: Cache, remote: Remote, *roots: Root) -> Any:
    return fetch(cache, remote, look(cache, remote, thorough=False), roots)


def test_what_was_pushed_comes_back_whole(tmp_path: Path, remote: Remote) -> None:
    some_data(tmp_path / "data")
    here, there = open_cache(tmp_path / "here"), open_cache(tmp_path / "there")
    root = stored(tmp_path / "data", here)

    sent = send(here, remote, root)
    fetched = bring(there, remote, root)

    needed = closure(here, [root]).objects
    assert sent.objects == fetched.objects == len(needed)
    assert not there.missing(needed)
    assert all(there.read(digest) == here.read(digest) for digest in needed)


def test_a_second_push_sends_nothing_and_asks_little(tmp_path: Path, remote: Remote) -> None:
    some_data(tmp_path / "data")
    cache = open_cache(tmp_path / "cache")
    root = stored(tmp_path / "data", cache)
    send(cache, remote, root)
    asked = remote.requests.total

    assert send(cache, remote, root).objects == 0
    assert remote.requests.total - asked <= 4  # the format, and three listings


def test_many_small_files_travel_in_a_few_requests(tmp_path: Path, remote: Remote) -> None:
    some_data(tmp_path / "data", files=1200)
    cache = open_cache(tmp_path / "cache")
    root = stored(tmp_path / "data", cache)

    index = look(cache, remote)
    plan = plan_push(cache, index, [root])
    before = remote.requests.writes
    push(plan, cache, remote, index)

    assert plan.objects > 1200
    assert remote.requests.writes - before == plan.requests <= 6


def test_only_what_changed_is_sent(tmp_path: Path, remote: Remote) -> None:
    some_data(tmp_path / "data")
    cache = open_cache(tmp_path / "cache")
    send(cache, remote, stored(tmp_path / "data", cache))

    (tmp_path / "data/3/3.bin").write_bytes(b"new")
    sent = send(cache, remote, stored(tmp_path / "data", cache))

    assert sent.objects == 3  # the file, its folder, the root


def test_a_fetch_brings_only_what_is_missing(tmp_path: Path, remote: Remote) -> None:
    some_data(tmp_path / "data")
    here, there = open_cache(tmp_path / "here"), open_cache(tmp_path / "there")
    root = stored(tmp_path / "data", here)
    send(here, remote, root)
    bring(there, remote, root)

    (tmp_path / "data/3/3.bin").write_bytes(b"new")
    newer = stored(tmp_path / "data", here)
    send(here, remote, newer)

    assert bring(there, remote, newer).objects == 3


def test_the_listings_of_many_folders_come_together(tmp_path: Path, remote: Remote) -> None:
    for number in range(400):  # 300 KiB in each folder: too far apart to be read in one go
        place = tmp_path / f"data/{number // 10}/{number}.bin"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(random.Random(number).randbytes(30_000))
    here, there = open_cache(tmp_path / "here"), open_cache(tmp_path / "there")
    root = stored(tmp_path / "data", here)
    send(here, remote, root)
    index = look(there, remote, thorough=False)
    before = remote.requests.reads

    assert fetch(there, remote, index, [root]).objects == 441
    # the root, its folders, and the files, which lie in two packs
    assert remote.requests.reads - before <= 4


def test_objects_that_are_larger_than_a_tree_says_travel_all_the_same(
    tmp_path: Path, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PACK_BYTES", 40_000)
    here, there = open_cache(tmp_path / "here"), open_cache(tmp_path / "there")
    whole = [random.Random(number).randbytes(9_000) for number in range(50)]
    with here.writer() as writer:
        named = [(f"{number:02d}", writer.put(data)) for number, data in enumerate(whole)]
        tree = writer.put(write_tree(Entry(name, "file", digest, 1) for name, digest in named))
    root = Root("data", tree, "tree")

    sent = send(here, remote, root)
    bring(there, remote, root)

    assert sent.objects == 51
    assert sent.packs == 10  # so that no lie fills the memory
    assert [there.read(digest) for _, digest in named] == whole


def test_two_pushers_do_not_disturb_each_other(tmp_path: Path, remote: Remote) -> None:
    one, two = open_cache(tmp_path / "one"), open_cache(tmp_path / "two")
    some_data(tmp_path / "a", files=50, seed=1)
    some_data(tmp_path / "b", files=50, seed=2)
    root_a = stored(tmp_path / "a", one)
    root_b = dataclasses.replace(stored(tmp_path / "b", two), path="other")
    first, second = look(one, remote), look(two, remote)  # both see an empty remote

    push(plan_push(one, first, [root_a]), one, remote, first)
    push(plan_push(two, second, [root_b]), two, remote, second)

    fresh = open_cache(tmp_path / "fresh")
    bring(fresh, remote, root_a, root_b)
    assert not fresh.missing(closure(one, [root_a]).objects)
    assert not fresh.missing(closure(two, [root_b]).objects)


def test_a_damaged_object_is_refused_by_name_and_never_sent(tmp_path: Path, remote: Remote) -> None:
    some_data(tmp_path / "data", files=20)
    cache = open_cache(tmp_path / "cache")
    root = stored(tmp_path / "data", cache)
    large = Digest.of((tmp_path / "data/large.bin").read_bytes())
    flip_a_byte(cache.objects.path(large))

    with pytest.raises(IntegrityError) as refused:
        send(cache, remote, root)

    assert refused.value.code == "damaged-object"
    assert refused.value.details["damaged"] == [{"path": "data/large.bin", "digest": large}]
    index = look(cache, remote)
    assert large not in index.find([large])
    assert remote.list("objects") == {}


def test_a_damaged_packed_object_is_refused_too(tmp_path: Path, remote: Remote) -> None:
    some_data(tmp_path / "data", files=100)
    cache = open_cache(tmp_path / "cache")
    root = stored(tmp_path / "data", cache)
    digest = Digest.of((tmp_path / "data/5/5.bin").read_bytes())
    place = cache.packs.find(digest.raw)
    assert place is not None
    flip_a_byte(place.pack, at=place.offset)

    with pytest.raises(IntegrityError) as refused:
        send(cache, remote, root)

    assert [one["path"] for one in refused.value.details["damaged"]] == ["data/5/5.bin"]
    assert digest not in look(cache, remote).find([digest])


def test_wrong_bytes_on_the_remote_are_never_served(tmp_path: Path, remote: Remote) -> None:
    some_data(tmp_path / "data", files=30)
    here, there = open_cache(tmp_path / "here"), open_cache(tmp_path / "there")
    root = stored(tmp_path / "data", here)
    send(here, remote, root)
    digest = Digest.of((tmp_path / "data/5/5.bin").read_bytes())
    (spot,) = look(here, remote).find([digest])[digest]
    data = bytearray(remote.read(spot.name, 0, 1 << 30) or b"")
    data[spot.offset] ^= 1
    remote.write(spot.name, bytes(data))

    with pytest.raises(IntegrityError) as refused:
        bring(there, remote, root)

    assert [one["path"] for one in refused.value.details["damaged"]] == ["data/5/5.bin"]
    assert not there.has(digest)
    assert there.objects.aside(digest).is_file()
    # a clone with good bytes mends it, and the same fetch goes through
    index = look(here, remote)
    push(plan_push(here, index, [root], everything=True), here, remote, index)
    bring(there, remote, root)
    assert there.read(digest) == here.read(digest)


def test_what_the_remote_lost_is_sent_again(tmp_path: Path, remote: Remote) -> None:
    some_data(tmp_path / "data", files=30)
    here, there = open_cache(tmp_path / "here"), open_cache(tmp_path / "there")
    root = stored(tmp_path / "data", here)
    send(here, remote, root)
    for name in remote.list("packs"):
        erase(remote, f"packs/{name}")

    with pytest.raises(NotFound):
        fetch(there, remote, look(there, remote), [root])
    assert send(here, remote, root).objects >= 30
    bring(there, remote, root)


def test_a_push_cut_short_goes_on_where_it_ended(
    tmp_path: Path, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_cli.store.transfer.sending.PACK_BYTES", 50_000)
    monkeypatch.setattr("mlops_cli.store.transfer.naming.AFTER_BYTES", 100_000)
    some_data(tmp_path / "data", files=300)
    here, there = open_cache(tmp_path / "here"), open_cache(tmp_path / "there")
    root = stored(tmp_path / "data", here)
    index = look(here, remote)
    plan = plan_push(here, index, [root])
    allowed = iter(range(9))

    class Dying(Remote):
        def write(self, name: str, data: bytes, *, replace: bool = True) -> None:
            self.live()
            Remote.write(self, name, data, replace=replace)

        def writing(self, name: str, size: int) -> Any:
            self.live()
            return Remote.writing(self, name, size)

        def live(self) -> None:
            if next(allowed, None) is None:
                raise OutsideWorld("the line was cut", code="remote-unavailable")

    dying = Dying(**{f.name: getattr(remote, f.name) for f in dataclasses.fields(remote)})
    with pytest.raises(OutsideWorld):
        push(plan, here, dying, index)

    with pytest.raises(NotFound):
        bring(there, remote, root)
    rest = plan_push(here, look(here, remote), [root])
    assert 0 < rest.objects < plan.objects
    send(here, remote, root)
    bring(there, remote, root)


def test_a_hostile_tree_from_a_remote_is_refused(tmp_path: Path, remote: Remote) -> None:
    here, there = open_cache(tmp_path / "here"), open_cache(tmp_path / "there")
    evil = b"mlops.tree/1\nfile " + b"0" * 64 + b" 1 1 ../../escape\0"
    digest = here.put(evil)
    # a file root, so that nothing looks into it on the way out
    send(here, remote, Root("data", digest, "file", len(evil), 1))

    with pytest.raises(IntegrityError) as refused:
        bring(there, remote, Root("data", digest, "tree"))
    assert refused.value.code == "hostile-tree"


def flip_a_byte(path: Path, at: int = 0) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def test_an_object_of_many_parts_is_streamed_both_ways(tmp_path: Path, remote: Remote) -> None:
    here, there = open_cache(tmp_path / "here"), open_cache(tmp_path / "there")
    data = random.Random(5).randbytes(20 << 20)
    (tmp_path / "big.bin").write_bytes(data)
    digest = here.put_file(tmp_path / "big.bin")
    root = Root("big.bin", digest, "file", len(data), 1)

    send(here, remote, root)
    bring(there, remote, root)

    assert hashlib.sha256(there.objects.path(digest).read_bytes()).hexdigest() == digest.hex


@pytest.fixture(autouse=True)
def no_profile_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield
