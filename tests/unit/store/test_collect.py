"""What may go, and when: two looks, a grace, clocks that jump, writers who rely on it after all."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Set
from pathlib import Path

import pytest

from mlops_cli.errors import StateRefused
from mlops_cli.store import condemned, lease
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.condemned import Moment
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import ingest
from mlops_cli.store.space import collect, projects, removal
from mlops_cli.store.space.collect import Named, Needs, Outlook
from mlops_cli.store.tree import Entry, write_tree

DAY = 86_400
START = 1_700_000_000


def everything(raws: Set[bytes]) -> set[bytes]:
    return set(raws)


def nothing(raws: Set[bytes]) -> set[bytes]:
    return set()


def gc(
    cache: Cache,
    at: int | Moment,
    *needed: Digest,
    grace: int = DAY,
    held: object = everything,
    unpushed: bool = False,
    needs: Needs | None = None,
) -> Outlook:
    """One run; return what it looked out for."""
    needs = needs or Needs(Named(frozenset(digest.raw for digest in needed)))
    with removal.alone(cache):
        outlook = collect.plan(
            cache,
            needs,
            now=at if isinstance(at, Moment) else Moment(at),
            grace=grace,
            held=held,  # type: ignore[arg-type]
            unpushed=unpushed,
        )
        collect.sweep(cache, outlook, again=lambda: needs)
    return outlook


def test_an_object_goes_at_the_second_look_when_the_grace_is_over(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    digest = cache.put(b"unneeded")
    gc(cache, START)
    gc(cache, START + DAY - 1)
    assert cache.has(digest)
    gc(cache, START + DAY)
    assert not cache.has(digest)


def test_what_was_needed_in_between_begins_anew(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    digest = cache.put(b"unneeded")
    gc(cache, START)
    gc(cache, START + DAY, digest)
    gc(cache, START + 2 * DAY)
    assert cache.has(digest)
    gc(cache, START + 3 * DAY)
    assert not cache.has(digest)


@pytest.mark.parametrize("how", ["put", "put_file", "writer", "ingest"])
def test_a_writer_that_relies_on_a_condemned_object_spares_it(tmp_path: Path, how: str) -> None:
    cache = open_cache(tmp_path / "cache")
    data = b"the same again" * 20_000
    digest = cache.put(data)
    gc(cache, START)
    other = open_cache(tmp_path / "cache")
    (tmp_path / "file").write_bytes(data)
    if how == "put":
        other.put(data)
    elif how == "put_file":
        other.put_file(tmp_path / "file")
    elif how == "ingest":
        ingest(tmp_path / "file", cache=other)
    else:
        with other.writer() as writer:
            writer.put(data)
    gc(cache, START + DAY)
    assert cache.has(digest)
    gc(cache, START + 2 * DAY)  # nobody named it: it began anew
    gc(cache, START + 3 * DAY)
    assert not cache.has(digest)


def test_a_spared_folder_keeps_all_that_is_in_it(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    inner = cache.put(b"inside")
    tree = cache.put(write_tree([Entry("f", "file", inner, 6)]))
    gc(cache, START)
    with cache.writing() as found:
        found.rely(tree.raw)
    gc(cache, START + DAY)
    assert cache.has(inner) and cache.has(tree)


def test_a_line_of_the_spared_cut_short_takes_no_other_along(tmp_path: Path) -> None:
    digest = Digest.of(b"spared")
    (tmp_path / "gc").mkdir()
    (tmp_path / condemned.SPARED).write_bytes(b"\n0123")
    condemned.spare(tmp_path, digest.raw)
    assert condemned.spared(tmp_path) == {digest.raw}


def test_a_clock_set_back_makes_nothing_older(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    digest = cache.put(b"unneeded")
    gc(cache, START + 100 * DAY)  # a clock that was ahead
    gc(cache, START)
    gc(cache, START + DAY - 1)
    assert cache.has(digest)


def test_a_clock_that_leaps_ahead_of_the_running_machine_ages_nothing(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    digest = cache.put(b"unneeded")
    gc(cache, Moment(START, 1000, "boot"))
    gc(cache, Moment(START + 100 * DAY, 1060, "boot"))
    gc(cache, Moment(START + 100 * DAY + 60, 1120, "boot"))
    assert cache.has(digest)
    gc(cache, Moment(START + 101 * DAY, 1060 + DAY, "boot"))
    assert not cache.has(digest)


def test_a_damaged_memory_of_the_last_look_removes_nothing(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    digest = cache.put(b"unneeded")
    gc(cache, START)
    for name in (condemned.NAME, condemned.CLOCK):
        (tmp_path / name).chmod(0o644)
        (tmp_path / name).write_bytes(b"garbage")
    gc(cache, START + 2 * DAY)
    assert cache.has(digest)


def test_only_what_a_remote_holds_goes_unless_that_is_wished(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    digest = cache.put(b"the only copy")
    refused = gc(cache, START, grace=0, held=nothing).refused
    assert refused == {digest.raw: (13, "unpushed")}
    gc(cache, START, grace=0, held=nothing, unpushed=True)
    assert not cache.has(digest)


def test_what_older_commits_name_goes_only_if_a_remote_holds_it(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    digest = cache.put(b"of an older commit")
    older = Needs(history=Named(frozenset({digest.raw})))
    outlook = gc(cache, START, grace=0, held=nothing, unpushed=True, needs=older)
    assert outlook.refused[digest.raw][1] == "history"
    gc(cache, START, grace=0, needs=older)
    assert not cache.has(digest)


def test_below_a_listing_that_is_not_here_nothing_is_the_only_copy(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    inner = cache.put(b"maybe in that folder")
    tree = Digest.of(write_tree([Entry("a", "file", inner, 20)]))
    needs = Needs(Named(frozenset({tree.raw}), frozenset({tree.raw})))
    outlook = gc(cache, START, grace=0, held=nothing, unpushed=True, needs=needs)
    assert outlook.refused[inner.raw][1] == "unknown-trees"
    gc(cache, START, grace=0, held=lambda raws: {tree.raw}, unpushed=True, needs=needs)
    assert not cache.has(inner)


def test_a_tree_keeps_what_is_in_it_wherever_it_lies(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    files = [cache.put(b"file %d" % number) for number in range(3)]
    inner = cache.put(write_tree([Entry("f", "file", files[0], 6)]))
    # the bytes of the inner listing also stand beside it as a file
    entries = [Entry("same", "file", inner, 9), Entry("d", "dir", inner, 6)]
    with cache.writer() as writer:
        outer = writer.put(write_tree([*entries, Entry("g", "file", files[1], 6)]))
        for number in range(40):
            writer.put(b"packed %d" % number)
    gc(cache, START, outer, grace=0)
    assert set(cache.iterate()) == {outer, inner, files[0], files[1]}


def test_digests_are_found_in_whatever_text_they_stand(tmp_path: Path) -> None:
    one, two = Digest.of(b"1"), Digest.of(b"2")
    text = f'<<<<<<< ours\n "digest": "{one}",\n=======\n "digest": "{two}",\n>>>>>>> theirs\n'
    assert collect.names_in(text.encode()).digests == {one.raw, two.raw}
    assert collect.names_in(f"{one}0".encode()).digests == set()
    pointer = f'{{"digest": "{one}", "files": 3, "kind": "tree", "theirs": {{"digest": "{two}"}}}}'
    assert collect.names_in(pointer.encode()).trees == {one.raw}


def test_while_somebody_stores_nothing_is_swept(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    with cache.writing(), pytest.raises(StateRefused) as refused, lease.exclusive(tmp_path, wait=0):
        pass
    assert refused.value.code == "locked"
    child = os.fork()
    if child == 0:
        fcntl.flock(os.open(tmp_path / lease.NAME, os.O_RDONLY), fcntl.LOCK_SH)
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    with lease.exclusive(tmp_path, wait=0):  # the dead hold nothing
        pass


def test_the_lease_costs_next_to_nothing(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    cache.put(b"makes the folders")
    took = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(1000):
            with lease.shared(tmp_path):
                pass
        took.append(time.process_time() - began)
    assert min(took) < 0.05  # 50 µs each


def test_what_was_left_behind_long_ago_goes_and_what_is_young_or_from_the_future_stays(
    tmp_path: Path,
) -> None:
    cache = open_cache(tmp_path)
    cache.put(b"makes the folders")
    (tmp_path / "packs").mkdir(exist_ok=True)
    now = time.time()
    for name, moment in {
        "tmp/old": now - 2 * 3600,
        "tmp/young": now,
        "tmp/future": now + DAY,
        "packs/without-index.pack": now - 2 * 3600,
    }.items():
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (moment, moment))
    assert removal.sweep_leftovers(cache) == 2
    assert sorted(path.name for path in (tmp_path / "tmp").iterdir()) == ["future", "young"]


def test_a_project_that_shares_the_cache_is_known_by_its_card(tmp_path: Path) -> None:
    projects.register(tmp_path, tmp_path / "one")
    projects.register(tmp_path, tmp_path / "one")
    assert projects.registered(tmp_path) == [tmp_path / "one"]
    card = projects.card_of(tmp_path, tmp_path / "one")
    card.write_text("{}")
    with pytest.raises(StateRefused) as refused:
        projects.registered(tmp_path)
    assert f"rm {card}" in (refused.value.hint or "")
