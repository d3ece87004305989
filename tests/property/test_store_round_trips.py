"""Whatever goes in comes out: listings, packs, and whole folders with everything in them."""

from __future__ import annotations

import shutil
import string
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_cli.errors import IntegrityError
from mlops_cli.store import pack_index
from mlops_cli.store.cache import open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.compare import changes
from mlops_cli.store.files.ingest import fingerprint, ingest
from mlops_cli.store.files.materialize import materialize, plan_materialize
from mlops_cli.store.statcache import StatCache
from mlops_cli.store.tree import (
    FILES_AT_MOST,
    HEADER,
    SIZE_AT_MOST,
    Entry,
    parse_tree,
    refusal,
    write_tree,
)

names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=12
).filter(lambda name: refusal(name) is None and len(name.encode()) < 200)
contents = st.binary(max_size=200)
entries = st.builds(
    lambda name, mode, data, size, files: Entry(
        name, mode, Digest.of(data), size, files if mode == "dir" else 1
    ),
    names,
    st.sampled_from(["file", "exec", "link", "dir"]),
    contents,
    # twenty of the largest are still what a disk takes
    st.integers(0, SIZE_AT_MOST // 20),
    st.integers(0, FILES_AT_MOST // 20),
)


@given(st.lists(entries, unique_by=lambda entry: entry.name, max_size=20))
def test_a_listing_is_read_as_it_was_written(found: list[Entry]) -> None:
    data = write_tree(found)
    assert parse_tree(data) == tuple(sorted(found))
    assert write_tree(parse_tree(data)) == data


@given(
    st.lists(entries, unique_by=lambda entry: entry.name, min_size=1, max_size=5),
    st.integers(0),
    st.integers(1, 255),
)
def test_a_listing_with_a_changed_byte_is_refused_or_another_canonical_one(
    found: list[Entry], at: int, by: int
) -> None:
    data = bytearray(write_tree(found))
    data[at % len(data)] ^= by
    try:
        assert write_tree(parse_tree(bytes(data))) == bytes(data)
    except IntegrityError:
        pass


@given(st.binary(max_size=400))
def test_any_bytes_after_the_header_are_refused_or_canonical(tail: bytes) -> None:
    try:
        assert write_tree(parse_tree(HEADER + tail)) == HEADER + tail
    except IntegrityError:
        pass


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=60), max_size=80), st.lists(st.binary(max_size=60), max_size=20))
def test_a_pack_gives_back_what_it_was_given_and_nothing_else(
    given_: list[bytes], others: list[bytes]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = open_cache(Path(folder))
        with cache.writer() as writer:
            digests = [writer.put(data) for data in given_]
        again = open_cache(Path(folder))
        assert [again.read(digest) for digest in digests] == given_
        assert set(again.iterate()) == set(digests)
        assert again.missing(map(Digest.of, others)) == {
            Digest.of(data) for data in others if data not in given_
        }
        for index in (Path(folder) / "packs").glob("*.idx"):
            assert pack_index.well_formed(index.read_bytes())


Folder = dict[str, Any]
safe = st.text(
    string.ascii_letters + string.digits + " .-_é大\n'\"\\", min_size=1, max_size=6
).filter(lambda name: refusal(name) is None)
files = st.one_of(
    st.binary(max_size=40),
    st.tuples(st.just("exec"), st.binary(max_size=10)),
    st.tuples(st.just("link"), safe),
)
worlds: st.SearchStrategy[Folder] = st.recursive(
    st.dictionaries(safe, files, max_size=4),
    lambda inner: st.dictionaries(safe, st.one_of(files, inner), max_size=4),
    max_leaves=12,
)


def write(folder: Path, world: Folder) -> None:
    folder.mkdir()
    for name, what in world.items():
        path = folder / name
        match what:
            case dict():
                write(path, what)
            case ("exec", data):
                path.write_bytes(data)
                path.chmod(0o755)
            case ("link", target):
                path.symlink_to(target)
            case data:
                path.write_bytes(data)


def read(folder: Path) -> Folder:
    world: Folder = {}
    for path in folder.iterdir():
        if path.is_symlink():
            world[path.name] = ("link", str(path.readlink()))
        elif path.is_dir():
            world[path.name] = read(path)
        elif path.stat().st_mode & 0o100:
            world[path.name] = ("exec", path.read_bytes())
        else:
            world[path.name] = path.read_bytes()
    return world


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(worlds, worlds)
def test_any_folder_comes_back_also_over_any_other(one: Folder, two: Folder) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        cache, stats = open_cache(base / "cache"), StatCache(base / "cache/stat.sqlite")
        write(base / "one", one)
        write(base / "two", two)
        first = ingest(base / "one", cache=cache, stats=stats)
        second = ingest(base / "two", cache=cache, stats=stats)
        assert (first == second) == (one == two)
        assert (changes(cache, first.digest, second.digest) == []) == (one == two)
        for stored, world in ((first, one), (second, two), (first, one)):
            plan = plan_materialize(cache, stored.digest, "tree", base / "out", stats=stats)
            assert plan.unsaved == ()
            materialize(plan)
            assert read(base / "out") == world
            assert fingerprint(base / "out", stats=stats) == stored
        stats.close()
        shutil.rmtree(base / "out")
