"""Large objects travel as chunks: what the other side has is not sent, lies are not believed."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
import threading
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_cli.errors import IntegrityError, NotFound, OutsideWorld
from mlops_cli.store import chunks, frames, pack_index, packs
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.chunks import MOST, Chunk
from mlops_cli.store.closure import Root
from mlops_cli.store.digest import Digest
from mlops_cli.store.recipes import parse_recipe, recipe_of, write_recipe
from mlops_cli.store.remotes.kinds import open_remote
from mlops_cli.store.remotes.layout import check_format
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.space.fold import fold
from mlops_cli.store.transfer.chunk_table import chunk_table
from mlops_cli.store.transfer.fetch import Fetched, fetch
from mlops_cli.store.transfer.follower import Follower
from mlops_cli.store.transfer.remote_index import RemoteIndex, memory, recipes_name, refresh
from mlops_cli.store.transfer.transfer import PushPlan, Sent, plan_push, push

NOW = datetime(2013, 1, 31, tzinfo=UTC)
MIB = 1 << 20


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def stored(cache: Cache, data: bytes, path: str = "big.bin") -> Root:
    cache.root.parent.mkdir(parents=True, exist_ok=True)
    file = cache.root.parent / path
    file.write_bytes(data)
    return Root(path, cache.put_file(file), "file", len(data), 1)


def folder(tmp_path: Path) -> Remote:
    return open_remote(f"file://{tmp_path}/remote", root=tmp_path)


def look(cache: Cache, remote: Remote) -> RemoteIndex:
    check_format(remote, create=True)
    return refresh(remote, memory(cache.root, remote.id), now=NOW, thorough=True)


def planned(cache: Cache, remote: Remote, *roots: Root, **how: Any) -> tuple[PushPlan, RemoteIndex]:
    index = look(cache, remote)
    return plan_push(cache, index, roots, **how), index


def send(cache: Cache, remote: Remote, *roots: Root, compress: bool = False, **how: Any) -> Sent:
    plan, index = planned(cache, remote, *roots, **how)
    return push(plan, cache, remote, index, compress=compress)[0]


def bring(cache: Cache, remote: Remote, *roots: Root) -> Fetched:
    index = refresh(remote, memory(cache.root, remote.id), now=NOW)
    return fetch(cache, remote, index, roots)


def volume(remote: Remote) -> int:
    return sum(remote.list("").values())


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def table(size: int, seed: int = 1) -> bytes:
    """A CSV of about `size` bytes, no two lines the same."""
    return noise(size // 2, seed).hex().replace("7f", "\n").replace("9", ",").encode()


def test_one_per_cent_more_rows_cost_about_one_per_cent(tmp_path: Path) -> None:
    remote, here, there = folder(tmp_path), *map(open_cache, (tmp_path / "a", tmp_path / "b"))
    first = table(64 * MIB)
    more = table(len(first) // 100, seed=2)
    middle = first.index(b"\n", len(first) // 2) + 1
    former = stored(here, first)
    send(here, remote, former)
    bring(there, remote, former)
    for later_bytes in (first + more, first[:middle] + more[::-1] + first[middle:]):
        before = volume(remote)
        later = stored(here, later_bytes)
        plan, _ = planned(here, remote, later)
        sent = send(here, remote, later)

        extra = volume(remote) - before
        assert extra <= 0.015 * len(first) + MIB
        assert extra == pytest.approx(sent.bytes, rel=0.05)
        assert plan.at_most
        assert plan.bytes == later.size
        # and on the wire as well: the other clone has the former version
        fetched = bring(there, remote, later)
        assert fetched.bytes == pytest.approx(sent.bytes, rel=0.05)
        assert there.read(later.digest) == later_bytes


def test_chunks_of_cold_storage_need_not_travel(tmp_path: Path) -> None:
    remote, here, there = folder(tmp_path), *map(open_cache, (tmp_path / "a", tmp_path / "b"))
    first = noise(8 * MIB)
    former, later = stored(here, first), stored(here, first + b"x")
    send(here, remote, former, later)
    bring(there, remote, former)
    fold(there, [former.digest])
    assert bring(there, remote, later).bytes <= 2 * MIB
    assert there.read(later.digest) == first + b"x"


def test_a_folded_object_is_pushed_as_if_it_were_whole(tmp_path: Path) -> None:
    remote, here, there = folder(tmp_path), *map(open_cache, (tmp_path / "a", tmp_path / "b"))
    root = stored(here, noise(3 * MIB))
    fold(here, [root.digest])
    send(here, remote, root)
    bring(there, remote, root)
    assert there.read(root.digest) == noise(3 * MIB)


def test_what_two_objects_share_is_sent_once(tmp_path: Path) -> None:
    remote, here = folder(tmp_path), open_cache(tmp_path / "a")
    data = noise(6 * MIB)
    sent = send(here, remote, stored(here, data, "x"), stored(here, b"head" + data, "y"))
    assert sent.objects == 2
    assert sent.bytes < 8 * MIB


def test_a_push_cut_short_goes_on_in_the_middle_of_an_object(
    tmp_path: Path,
) -> None:
    remote, here, there = folder(tmp_path), *map(open_cache, (tmp_path / "a", tmp_path / "b"))
    root = stored(here, noise(48 * MIB))
    allowed, lock = iter(range(3)), threading.Lock()

    class Dying(Remote):
        def write(self, name: str, data: Any, *, replace: bool = True) -> None:
            with lock:
                alive = not name.startswith("packs/") or next(allowed, None) is not None
            if not alive:
                raise OutsideWorld("the line was cut", code="remote-unavailable")
            Remote.write(self, name, data, replace=replace)

    fields = {one.name: getattr(remote, one.name) for one in dataclasses.fields(remote)}
    plan, index = planned(here, remote, root)
    with pytest.raises(OutsideWorld):
        push(plan, here, Dying(**fields), index)

    assert root.digest not in look(there, remote).find([root.digest])
    sent = send(here, remote, root)
    assert sent.objects == 1
    assert 20 * MIB < sent.bytes < 30 * MIB
    bring(there, remote, root)
    assert there.read(root.digest) == noise(48 * MIB)


def test_of_a_damaged_object_no_recipe_is_written(tmp_path: Path) -> None:
    remote, here = folder(tmp_path), open_cache(tmp_path / "a")
    good, bad = stored(here, noise(3 * MIB), "good"), stored(here, noise(3 * MIB, 2), "bad")
    here.objects.path(bad.digest).chmod(0o644)
    flip(here.objects.path(bad.digest), 2 * MIB)
    with pytest.raises(IntegrityError) as refused:
        send(here, remote, bad, good)
    assert refused.value.details["damaged"] == [{"path": "bad", "digest": bad.digest}]
    assert set(look(here, remote).find([good.digest, bad.digest])) == {good.digest}
    assert not here.has(bad.digest)


def test_compressed_chunks_come_back_as_they_were(tmp_path: Path) -> None:
    remote, here, there = folder(tmp_path), *map(open_cache, (tmp_path / "a", tmp_path / "b"))
    text, small = table(4 * MIB), b"the same line\n" * 1000
    # bytes that look like a frame are nothing but bytes
    frame = bytes(frames.squeeze(small)) + noise(2 * MIB)
    roots = [
        stored(here, data, name) for name, data in zip("xyz", (text, small, frame), strict=True)
    ]
    send(here, remote, *roots, compress=True)
    assert volume(remote) < 2 * MIB + 0.75 * len(text)
    bring(there, remote, *roots)
    assert [there.read(root.digest) for root in roots] == [text, small, frame]


def test_a_remote_of_an_older_version_is_read_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, here, there = folder(tmp_path), *map(open_cache, (tmp_path / "a", tmp_path / "b"))
    first = noise(20 * MIB)
    former = stored(here, first)
    with monkeypatch.context() as older:
        older.setattr(chunks, "available", lambda: False)
        plan, _ = planned(here, remote, former)
        assert not plan.at_most
        send(here, remote, former)
    assert len(remote.list("objects")) == 1
    assert remote.list("recipes") == {}
    assert send(here, remote, former).objects == 0

    later = stored(here, first + b"x")
    send(here, remote, later)
    assert len(remote.list("objects")) == 1
    bring(there, remote, former, later)
    assert there.read(former.digest) + b"x" == there.read(later.digest)


def pack_with(remote: Remote, cache: Cache, raw: bytes) -> tuple[Path, int]:
    (spot, *_) = chunk_table(look(cache, remote)).spots(raw)
    assert remote.folder
    return remote.folder / spot.name, spot.offset


def test_a_wrong_chunk_is_set_aside_and_taken_from_elsewhere(tmp_path: Path) -> None:
    remote, here, there = folder(tmp_path), *map(open_cache, (tmp_path / "a", tmp_path / "b"))
    root = stored(here, noise(20 * MIB))
    send(here, remote, root)
    bring(there, remote, root)
    chunk = sha256(noise(20 * MIB)[: next(chunks.cut(memoryview(noise(20 * MIB)), last=True))])
    flip(*pack_with(remote, here, chunk.digest()))

    third = open_cache(tmp_path / "c")
    with pytest.raises(IntegrityError) as refused:
        bring(third, remote, root)
    assert refused.value.details["damaged"][0]["path"] == "big.bin"
    assert not third.has(root.digest)
    assert third.objects.aside(Digest.from_raw(chunk.digest())).exists()

    # the same chunks in other packs
    other = stored(there, noise(20 * MIB)[: 4 * MIB], "other.bin")
    send(there, remote, other, everything=True)
    bring(third, remote, root)
    assert third.read(root.digest) == noise(20 * MIB)


def test_an_object_whose_pack_is_lost_is_sent_again(tmp_path: Path) -> None:
    remote, here, there = folder(tmp_path), *map(open_cache, (tmp_path / "a", tmp_path / "b"))
    root = stored(here, noise(30 * MIB))
    send(here, remote, root)
    assert remote.folder
    lost = max((remote.folder / "packs").iterdir(), key=lambda path: path.stat().st_size)
    size = lost.stat().st_size
    lost.unlink()
    with pytest.raises(NotFound):
        bring(there, remote, root)
    assert send(here, remote, root).bytes < size + MIB
    assert send(here, remote, root).objects == 0
    bring(there, remote, root)


def recipe_on(remote: Remote, root: Root, data: bytes) -> None:
    """Put `data` as the recipe of `root`, as somebody may who can write there."""
    head = len(packs.PACK_MAGIC) + packs.RECORD.size
    index = pack_index.write_index({root.digest.raw: (head, len(data))})
    stem = pack_index.index_name(index)
    record = packs.PACK_MAGIC + packs.RECORD.pack(root.digest.raw, len(data)) + data
    remote.write(recipes_name(stem), record)
    remote.write(f"index/{stem}.rcp", index)


def chunk_on(remote: Remote, raw: bytes, stored: bytes, length: int | None = None) -> None:
    head = len(packs.PACK_MAGIC) + packs.RECORD.size
    index = pack_index.write_index({raw: (head, len(stored) if length is None else length)})
    stem = pack_index.index_name(index)
    remote.write(f"packs/{stem}.pack", packs.PACK_MAGIC + packs.RECORD.pack(raw, 0) + stored)
    remote.write(f"index/{stem}.idx", index)


def lies(data: bytes) -> dict[str, bytes]:
    true = [Chunk(sha256(data).digest(), len(data))]
    zero = Chunk(sha256(bytes(MOST)).digest(), MOST)
    good = write_recipe(recipe_of(true))
    return {
        "no recipe": b"mlops",
        "cut off": good[:-1],
        "another size": write_recipe(recipe_of([zero])),
        "far too much": write_recipe(recipe_of([zero] * 10_000)),
        "overflow": good[:15] + b"\xff" * 12 + good[27:],
        "unknown chunk": write_recipe(recipe_of([Chunk(bytes(32), len(data))])),
        "wrong bytes": write_recipe(recipe_of([Chunk(sha256(b"x").digest(), len(data))])),
    }


@pytest.mark.parametrize("lie", lies(b""))
def test_a_recipe_that_lies_gives_nothing(tmp_path: Path, lie: str) -> None:
    remote, there = folder(tmp_path), open_cache(tmp_path / "b")
    data = noise(MOST - 7)
    root = Root("data/big.bin", Digest.of(data), "file", len(data), 1)
    check_format(remote, create=True)
    chunk_on(remote, sha256(bytes(MOST)).digest(), bytes(MOST))
    chunk_on(remote, sha256(b"x").digest(), bytes(len(data)))
    recipe_on(remote, root, lies(data)[lie])
    with pytest.raises(IntegrityError) as refused:
        bring(there, remote, root)
    assert refused.value.details["damaged"][0]["path"] == "data/big.bin"
    assert not there.has(root.digest)
    held = [path for path in (tmp_path / "b").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in held if "remotes" not in path.parts) <= 2 * MOST
    # a recipe that is right serves, though the other one is still there
    chunk_on(remote, sha256(data).digest(), data)
    recipe_on(remote, root, write_recipe(recipe_of([Chunk(sha256(data).digest(), len(data))])))
    bring(there, remote, root)
    assert there.read(root.digest) == data


@pytest.mark.parametrize("length", [None, 1 << 40])
def test_a_chunk_that_is_a_bomb_is_refused_by_name(tmp_path: Path, length: int | None) -> None:
    remote, there = folder(tmp_path), open_cache(tmp_path / "b")
    bomb = bytes(frames.squeeze(bytes(256 * MIB)))
    raw = sha256(bytes(256 * MIB)).digest()
    root = Root("data/big.bin", Digest.of(b"never"), "file", MOST, 1)
    check_format(remote, create=True)
    chunk_on(remote, raw, bomb, length)
    recipe_on(remote, root, write_recipe(recipe_of([Chunk(raw, MOST)])))
    with pytest.raises(IntegrityError) as refused:
        bring(there, remote, root)
    assert refused.value.details["damaged"][0]["path"] == "data/big.bin"


def test_an_object_larger_than_the_disk_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, here, there = folder(tmp_path), *map(open_cache, (tmp_path / "a", tmp_path / "b"))
    root = stored(here, noise(2 * MIB))
    send(here, remote, root)
    room = os.statvfs(tmp_path)
    full = os.statvfs_result((*room[:4], 1, *room[5:]))
    monkeypatch.setattr(os, "fstatvfs", lambda handle: full)
    with pytest.raises(OutsideWorld) as refused:
        bring(there, remote, root)
    assert refused.value.code == "disk-full"
    assert list((tmp_path / "b/tmp").iterdir()) == []


def test_memory_stays_small_however_large_the_object(tmp_path: Path) -> None:
    script = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_chunked_transfer import *
here, there = open_cache(Path({str(tmp_path)!r}) / "a"), open_cache(Path({str(tmp_path)!r}) / "b")
remote = folder(Path({str(tmp_path)!r}))
here.root.parent.mkdir(exist_ok=True)
file = here.root.parent / "big.bin"
with file.open("wb") as handle:
    for _ in range(160): handle.write(os.urandom(MIB))
root = Root("big.bin", here.put_file(file), "file", 160 * MIB, 1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
send(here, remote, root)
bring(there, remote, root)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(told.stdout) < 80


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=12), st.randoms())
def test_pieces_in_any_order_give_one_digest(lengths: list[int], order: random.Random) -> None:
    data = noise(sum(lengths))
    starts = [sum(lengths[:at]) for at in range(len(lengths))]
    pieces = [(start, start + length) for start, length in zip(starts, lengths, strict=True)]
    order.shuffle(pieces)
    handle = os.memfd_create("pieces")
    try:
        follower = Follower(handle, len(data))
        for start, end in pieces:
            os.pwrite(handle, data[start:end], start)
            follower.arrived([(start, end)])
        assert follower.digest() == (len(data), sha256(data).digest())
    finally:
        os.close(handle)


def test_every_chunk_is_found_where_it_lies(tmp_path: Path) -> None:
    remote, here = folder(tmp_path), open_cache(tmp_path / "a")
    send(here, remote, stored(here, noise(40 * MIB)))
    index = look(here, remote)
    known = chunk_table(index)
    (name,) = remote.list("recipes")
    body = remote.read(f"recipes/{name}", 0, 1 << 30) or b""
    recipe = parse_recipe(body[len(packs.PACK_MAGIC) + packs.RECORD.size :])
    assert recipe.size == 40 * MIB
    for chunk in recipe:
        for spot in known.spots(chunk.raw):
            data = remote.read(spot.name, spot.offset, spot.offset + spot.length) or b""
            assert sha256(data).digest() == chunk.raw
    assert known.spots(bytes(32)) == []
    assert known.spots(chunk.raw[:8] + bytes(24)) == []  # as far as the table itself can tell
