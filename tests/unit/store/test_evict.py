"""The cache keeps to its budget: oldest first, verified copies only, never a listing."""

from __future__ import annotations

import os
from collections.abc import Set
from pathlib import Path

from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.space import evict, removal, used
from mlops_cli.store.space.evict import Eviction
from mlops_cli.store.space.fold import fold
from mlops_cli.store.tree import Entry, write_tree

NOW = 1_700_000_000


def aged(cache: Cache, data: bytes, age: int) -> Digest:
    """Store `data` as if it had been `age` seconds ago."""
    digest = cache.put(data)
    os.utime(cache.objects.path(digest), (NOW - age, NOW - age))
    return digest


def plan(cache: Cache, budget: int, *roots: Digest, **options: Set[bytes]) -> Eviction:
    return evict.plan(
        cache,
        budget,
        roots=[digest.raw for digest in roots],
        stay=options.get("stay", set()),
        verified=lambda raws: set(raws) & options.get("verified", set(raws)),
        now=NOW,
    )


def test_what_was_not_wanted_for_longest_goes_first(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    old, older, new = (aged(cache, bytes([n]) * 1000, age) for n, age in enumerate((20, 30, 10)))
    assert plan(cache, 3000).goes == {}
    assert list(plan(cache, 2500).goes) == [older.raw]
    used.note(tmp_path, [older.raw], NOW - 5)  # a checkout brought it
    assert list(plan(cache, 1500).goes) == [old.raw, new.raw]


def test_a_file_was_wanted_when_a_folder_around_it_was(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    one, other = aged(cache, b"1" * 1000, 100), aged(cache, b"2" * 1000, 50)
    tree = aged(cache, write_tree([Entry("f", "file", one, 1000)]), 100)
    used.note(tmp_path, [tree.raw], NOW)
    eviction = plan(cache, 1200, tree)
    assert list(eviction.goes) == [other.raw]
    with removal.alone(cache):
        evict.carry_out(cache, eviction)
    assert cache.has(one) and cache.has(tree) and not cache.has(other)


def test_without_a_verified_copy_nothing_goes(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    one, other = aged(cache, b"1" * 1000, 100), aged(cache, b"2" * 1000, 50)
    eviction = plan(cache, 0, verified={other.raw})
    assert (eviction.goes, eviction.unverified, eviction.enough) == ({other.raw: 1000}, 1000, False)
    assert plan(cache, 0, stay={one.raw, other.raw}).goes == {}


def test_what_a_workspace_is_linked_to_frees_nothing_and_stays(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    digest = aged(cache, b"1" * 1000, 100)
    os.link(cache.objects.path(digest), tmp_path / "linked")
    assert plan(cache, 0).goes == {}


def test_packed_and_folded_objects_are_evicted_too(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    with cache.writer() as writer:
        small = [writer.put(b"%04d" % n * 100) for n in range(30)]
    large = cache.put(os.urandom(1_500_000))
    fold(cache, [large])
    eviction = plan(cache, 0)
    with removal.alone(cache):
        evict.carry_out(cache, eviction)
    assert not [digest for digest in (*small, large) if cache.has(digest)]
    assert removal.disk_use(cache) == 0


def test_the_journal_of_use_survives_a_row_cut_short(tmp_path: Path) -> None:
    raws = [Digest.of(b"%d" % n).raw for n in range(3)]
    used.note(tmp_path, raws[:2], NOW)
    used.note(tmp_path, raws[2:], NOW + 10)
    path = tmp_path / used.NAME
    path.write_bytes(path.read_bytes()[:-1])
    assert used.times(tmp_path, now=NOW) == dict.fromkeys(raws[:2], NOW)
