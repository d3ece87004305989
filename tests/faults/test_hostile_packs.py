"""Packs, indexes and names from strangers: nothing is believed that is not hashed."""

from __future__ import annotations

import os
import random
import resource
import struct
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from mlops_cli.errors import IntegrityError, MlopsError
from mlops_cli.store import pack_index, packs
from mlops_cli.store.cache import open_cache
from mlops_cli.store.care.rounds import Extent
from mlops_cli.store.care.verify import verify as verify_cache
from mlops_cli.store.chunks import Chunk
from mlops_cli.store.closure import Root
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import fingerprint, ingest
from mlops_cli.store.files.materialize import materialize, plan_materialize
from mlops_cli.store.recipes import recipe_of, write_recipe
from mlops_cli.store.remotes.kinds import open_remote
from mlops_cli.store.remotes.layout import check_format, start
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.statcache import COARSE_TICK, TICK, StatCache, is_racy
from mlops_cli.store.transfer.fetch import fetch
from mlops_cli.store.transfer.remote_index import memory, refresh
from mlops_cli.store.transfer.transfer import plan_push, push
from mlops_cli.workspace import verify

NOW = datetime(2013, 1, 31, tzinfo=UTC)
HEAD = len(packs.PACK_MAGIC) + packs.RECORD.size
GOOD, OTHER = b"good" * 10, b"other" * 10
A, B = Digest.of(GOOD), Digest.of(OTHER)
FAR = 1 << 62


def body() -> bytes:
    """A pack with two objects."""
    parts = [packs.PACK_MAGIC]
    for one, data in ((A, GOOD), (B, OTHER)):
        parts += [packs.RECORD.pack(one.raw, len(data)), data]
    return b"".join(parts)


SECOND = HEAD + len(GOOD) + packs.RECORD.size
LIES = {
    "beyond the end": {A.raw: (HEAD, len(GOOD)), B.raw: (FAR, len(OTHER))},
    "longer than memory": {A.raw: (HEAD, len(GOOD)), B.raw: (SECOND, FAR)},
    "the same bytes": {A.raw: (HEAD, len(GOOD)), B.raw: (HEAD, len(GOOD))},
    "overlapping": {A.raw: (HEAD, len(GOOD)), B.raw: (SECOND - 3, len(OTHER))},
    "into the head": {A.raw: (HEAD, len(GOOD)), B.raw: (0, len(OTHER))},
}


def local(base: Path, index: bytes, pack: bytes) -> Path:
    folder = base / "cache/packs"
    folder.mkdir(parents=True)
    (folder / f"{pack_index.index_name(index)}.pack").write_bytes(pack)
    (folder / f"{pack_index.index_name(index)}.idx").write_bytes(index)
    return base / "cache"


def remote_with(base: Path, name: str, index: bytes, files: dict[str, bytes]) -> Remote:
    """A remote that somebody else filled."""
    remote = open_remote(f"file://{base}/remote", root=base)
    start(remote, check_format(remote, required=False))
    for place, data in files.items():
        remote.write(place, data)
    remote.write(f"index/{name}", index)
    return remote


@pytest.mark.parametrize("lie", LIES)
def test_an_index_that_lies_costs_only_the_objects_it_lies_about(tmp_path: Path, lie: str) -> None:
    cache = open_cache(local(tmp_path, pack_index.write_index(LIES[lie]), body()))
    with pytest.raises(IntegrityError):
        cache.read(B)
    assert cache.read(A) == GOOD
    found = list(cache.read_many([A.raw]))
    assert [bytes(data) for _, data in found] == [GOOD]


@pytest.mark.parametrize("level", ["metadata", "sizes", "bytes"])
@pytest.mark.parametrize("lie", LIES)
def test_verify_names_the_lie(tmp_path: Path, lie: str, level: str) -> None:
    cache = open_cache(local(tmp_path, pack_index.write_index(LIES[lie]), body()))
    roots = [Root("b", B, "file", len(OTHER), 1), Root("a", A, "file", len(GOOD), 1)]
    report = verify_cache(cache, roots, extent=Extent(level))  # type: ignore[arg-type]
    assert report.flaws
    assert cache.read(A) == GOOD


@pytest.mark.parametrize(
    "forge",
    [
        lambda index: index[:12] + struct.pack(">I", 0xFFFFFFFF) + index[16:],  # the count
        lambda index: index[:16] + struct.pack(">256I", *range(256, 0, -1)) + index[1040:],
        lambda index: index[:-1],
        lambda index: index + b"\0",
        lambda index: b"mlops.idx/9\n" + index[12:],
        lambda index: b"",
    ],
)
def test_an_index_without_the_shape_of_one_is_passed_over(tmp_path: Path, forge) -> None:  # type: ignore[no-untyped-def]
    good = pack_index.write_index({A.raw: (HEAD, len(GOOD)), B.raw: (SECOND, len(OTHER))})
    cache = open_cache(local(tmp_path, forge(good), body()))
    assert not cache.has(A) and list(cache.iterate()) == []
    remote = remote_with(tmp_path, f"{pack_index.index_name(forge(good))}.idx", forge(good), {})
    assert refresh(remote, memory(cache.root, remote.id), now=NOW).names == frozenset()


@pytest.mark.parametrize("lie", LIES)
def test_a_remote_whose_index_lies_is_refused_object_by_object(tmp_path: Path, lie: str) -> None:
    index = pack_index.write_index(LIES[lie])
    stem = pack_index.index_name(index)
    remote = remote_with(tmp_path, f"{stem}.idx", index, {f"packs/{stem}.pack": body()})
    cache = open_cache(tmp_path / "cache")
    roots = [Root("a", A, "file", len(GOOD), 1), Root("b", B, "file", len(OTHER), 1)]
    known = refresh(remote, memory(cache.root, remote.id), now=NOW)

    try:
        fetch(cache, remote, known, roots)
    except MlopsError as refused:
        assert refused.code in ("damaged-object", "missing-object")
        assert not cache.has(B)
    else:  # too long by far, but nothing follows: what is there is the object
        assert lie == "longer than memory" and cache.read(B) == OTHER
    assert cache.read(A) == GOOD
    report = verify.there(cache, remote, roots, extent=Extent(), mending=False, now=NOW).report
    assert not report.clean


def bomb(size: int) -> bytes:
    """One zstd frame, a few kilobytes long, that would fill `size` bytes."""
    return bytes(pa.Codec("zstd").compress(bytes(size), asbytes=True))


def test_a_chunk_that_would_fill_the_memory_is_not_opened(tmp_path: Path) -> None:
    size = 512 << 20
    frame = bomb(size)
    chunk, whole = Digest.of(b"chunk"), Digest.of(b"whole")
    pack = packs.PACK_MAGIC + packs.RECORD.pack(chunk.raw, len(frame)) + frame
    index = pack_index.write_index({chunk.raw: (HEAD, len(frame))})
    recipe = write_recipe(recipe_of([Chunk(chunk.raw, 1 << 20)] * 2))
    listed = pack_index.write_index({whole.raw: (HEAD, len(recipe))})
    stem, other = pack_index.index_name(index), pack_index.index_name(listed)
    held = packs.PACK_MAGIC + packs.RECORD.pack(whole.raw, len(recipe)) + recipe
    remote = remote_with(
        tmp_path, f"{stem}.idx", index,
        {f"packs/{stem}.pack": pack, f"recipes/{other}.pack": held, f"index/{other}.rcp": listed},
    )  # fmt: skip
    cache = open_cache(tmp_path / "cache")
    roots = [Root("big", whole, "file", 2 << 20, 1)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(IntegrityError):
        fetch(cache, remote, refresh(remote, memory(cache.root, remote.id), now=NOW), roots)
    report = verify.there(cache, remote, roots, extent=Extent(), mending=True, now=NOW).report

    assert not report.clean
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < size >> 11  # KiB


def strange_names() -> list[str]:
    return [
        "new\nline",
        "-rf",
        "--help",
        " ",
        "tab\tand\\backslash",
        '"quoted" $(name) `x`',
        unicodedata.normalize("NFC", "é"),
        unicodedata.normalize("NFD", "é"),
        "x" * 255,
        "é" * 127,
        "README",
        "readme",
        "con",
        "\u202egnp.exe",
        "\U0001f600",
        "...",
        ".gitx",
    ]


def test_names_that_tools_stumble_over_come_back_as_they_were(tmp_path: Path) -> None:
    for number, name in enumerate(strange_names()):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / name).write_bytes(b"%d" % number)
    cache = open_cache(tmp_path / "cache")
    stored = ingest(tmp_path / "data", cache=cache)
    assert stored.files == len(strange_names())
    remote = open_remote(f"file://{tmp_path}/remote", root=tmp_path)
    start(remote, check_format(remote, required=False))
    root = Root("data", stored.digest, "tree", stored.size, stored.files)
    index = refresh(remote, memory(cache.root, remote.id), now=NOW)
    push(plan_push(cache, index, [root]), cache, remote, index)
    other = open_cache(tmp_path / "other")
    fetch(other, remote, refresh(remote, memory(other.root, remote.id), now=NOW), [root])
    materialize(plan_materialize(other, stored.digest, "tree", tmp_path / "out"))
    assert fingerprint(tmp_path / "out") == stored
    assert sorted(os.listdir(tmp_path / "out")) == sorted(strange_names())


@pytest.mark.parametrize("when", [0, 1, -(10**9), 4_102_444_800, 1 << 33])
def test_a_clock_that_jumps_makes_nobody_trust_what_changed(tmp_path: Path, when: int) -> None:
    cache, stats = open_cache(tmp_path / "cache"), StatCache(tmp_path / "stat.sqlite")
    file = tmp_path / "data/file"
    file.parent.mkdir()
    chance = random.Random(4)
    for _ in range(3):
        file.write_bytes(chance.randbytes(1000))  # always as long
        os.utime(file, (when, when))  # and always as old
        found = ingest(file.parent, cache=cache, stats=stats)
        assert found == fingerprint(file.parent)
        assert fingerprint(file.parent, stats=stats, cache=cache) == found


def test_only_what_is_older_than_a_tick_is_trusted() -> None:
    now = 1_700_000_000_123_456_789
    assert not is_racy(now - 10 * TICK, now - 10 * TICK, now)
    assert is_racy(now, now, now)
    assert is_racy(now - 10 * TICK, now + 10 * TICK, now)  # the clock was set back since
    assert is_racy(now - 10 * TICK, now - TICK // 2, now)
    whole = 1_700_000_000_000_000_000  # a disk that keeps whole seconds
    assert is_racy(whole - 1_000_000_000, whole - 1_000_000_000, whole)
    assert not is_racy(whole - 2 * COARSE_TICK, whole - 2 * COARSE_TICK, whole)
