"""Verify looks as closely as it is asked, at as much as it is asked, and mends from anywhere."""

from __future__ import annotations

import os
import random
from itertools import count
from pathlib import Path

import pytest

from mlops_cli.store import pack_index
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.care import rounds
from mlops_cli.store.care.course import LEVELS, Outcome, Unit
from mlops_cli.store.care.repair import repair
from mlops_cli.store.care.rounds import Extent, walk
from mlops_cli.store.care.verify import verify
from mlops_cli.store.closure import Root
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import Stored, ingest
from mlops_cli.store.tree import Entry, write_tree


def world(base: Path, large: int = 2) -> tuple[Cache, Stored]:
    """A cache with one pack of 40 small files and their tree, and some large objects."""
    chance = random.Random(5)
    data = base / "data"
    data.mkdir()
    for number in range(40):
        (data / f"{number}").write_bytes(b"%d\n" % number * 100)
    for number in range(large):
        (data / f"large{number}").write_bytes(chance.randbytes(200_000))
    cache = open_cache(base / "cache")
    return cache, ingest(data, cache=cache)


def roots(stored: Stored) -> list[Root]:
    return [Root("data", stored.digest, "tree")]


def writable(path: Path) -> Path:
    path.chmod(0o644)
    return path


def flip(path: Path, at: int) -> None:
    data = bytearray(writable(path).read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def the_pack(cache: Cache) -> Path:
    (pack,) = (cache.root / "packs").glob("*.pack")
    return pack


def a_large_object(cache: Cache) -> Path:
    return min(path for path in (cache.root / "objects").glob("*/*"))


@pytest.mark.parametrize("level", LEVELS)
def test_a_sound_cache_is_found_sound_at_every_level(tmp_path: Path, level: str) -> None:
    cache, stored = world(tmp_path)
    report = verify(cache, roots(stored), extent=Extent(level))  # type: ignore[arg-type]
    assert report.clean and report.complete and report.checked == 43
    assert (report.bytes > 400_000) == (level == "bytes")


def test_a_flipped_byte_is_seen_by_its_hash_a_missing_one_by_its_size(tmp_path: Path) -> None:
    cache, stored = world(tmp_path)
    large = a_large_object(cache)
    flip(large, 100_000)
    assert verify(cache, roots(stored), extent=Extent("sizes")).clean
    os.truncate(large, 199_999)
    assert verify(cache, roots(stored), extent=Extent("metadata")).clean
    (damaged,) = verify(cache, roots(stored), extent=Extent("sizes")).damaged
    assert damaged.paths[0].startswith("data/large") and not large.exists()


def test_a_pack_that_was_cut_off_is_noticed_without_reading_it(tmp_path: Path) -> None:
    cache, stored = world(tmp_path)
    os.truncate(writable(the_pack(cache)), 3000)
    (flaw,) = verify(cache, roots(stored), extent=Extent("metadata")).flaws
    assert "beyond the end" in flaw.why
    (damaged,) = verify(cache, roots(stored), extent=Extent("sizes")).damaged
    assert damaged.paths == ("data",)  # its listing came last


def test_an_object_that_a_second_copy_covers_is_mended_by_it(tmp_path: Path) -> None:
    cache, stored = world(tmp_path)
    small = Digest.of(b"7\n" * 100)
    cache.objects.put(b"7\n" * 100, small)
    flip(the_pack(cache), the_pack(cache).read_bytes().index(b"\n7\n7\n") + 5)
    assert verify(cache, roots(stored)).clean
    assert cache.read(small) == b"7\n" * 100


def test_an_index_that_is_lost_or_wrong_is_made_again_from_its_pack(tmp_path: Path) -> None:
    cache, stored = world(tmp_path)
    index = the_pack(cache).with_suffix(".idx")
    for harm in ("shape", "row", "gone"):
        whole = writable(the_pack(cache).with_suffix(".idx"))
        if harm == "shape":
            flip(whole, 3)
        elif harm == "row":
            flip(whole, pack_index.INDEX_START + 5)
        else:
            whole.unlink()
        cache = open_cache(tmp_path / "cache")

        report = verify(cache, roots(stored))
        assert not report.clean, harm
        assert bool(report.flaws) == (harm != "gone")
        mended, left = repair(cache, report, roots(stored), sources=[])

        assert mended and left.clean, harm
        assert the_pack(cache).stem == index.stem
    assert verify(cache, roots(stored)).clean


def test_a_tree_that_lies_about_a_size_is_named_and_the_object_kept(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    tree = cache.put(write_tree([Entry("a", "file", cache.put(b"four"), 10**12)]))
    report = verify(cache, [Root("data", tree, "tree")])
    assert [flaw.name for flaw in report.flaws] == ["data/a"] and not report.damaged
    assert cache.read(Digest.of(b"four")) == b"four"


def test_samples_of_a_tenth_have_seen_everything_after_ten(tmp_path: Path) -> None:
    units = [Unit(f"{number:03}", 10 + number % 7) for number in range(100)]
    seen: list[str] = []

    def look(unit: Unit) -> Outcome:
        seen.append(unit.name)
        return Outcome(1, unit.size)

    for _ in range(10):
        before = len(seen)
        course = walk(tmp_path / "round", units, Extent(share=0.1), look, lanes=1)
        assert course.complete and 5 < len(seen) - before < 20
    assert set(seen) == {unit.name for unit in units}


def test_a_round_that_ran_out_of_time_goes_on_where_it_ended(tmp_path: Path) -> None:
    units = [Unit(f"{number:03}", 1) for number in range(50)]
    seen: list[str] = []

    def look(unit: Unit) -> Outcome:
        seen.append(unit.name)
        return Outcome(1, 1)

    ticks = count()
    first = walk(
        tmp_path / "round", units, Extent(seconds=20), look, lanes=1, clock=lambda: next(ticks)
    )
    assert not first.complete and 15 < first.checked < 25
    rest = walk(tmp_path / "round", units, Extent(resume=True), look, lanes=1)
    assert rest.complete and rest.checked == 50
    assert set(seen) == {unit.name for unit in units} and len(seen) < 55
    assert not (tmp_path / "round").exists()


def test_a_killed_round_is_taken_up_and_what_it_found_is_not_forgotten(tmp_path: Path) -> None:
    ticks = count()

    def look(unit: Unit) -> Outcome:
        if next(ticks) == 20:
            raise KeyboardInterrupt
        return Outcome(1, 1, (Digest.of(unit.name.encode()),))

    moments = count(step=rounds.SAVE_EVERY)
    units = [Unit(f"{number:03}", 1) for number in range(30)]
    file = tmp_path / "round"
    with pytest.raises(KeyboardInterrupt):
        walk(file, units, Extent(), look, lanes=1, clock=lambda: next(moments))
    course = walk(file, units, Extent(resume=True), look, lanes=1)
    assert course.complete and len(set(course.wrong)) == 30


def test_a_memory_of_a_round_that_cannot_be_read_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "round").write_text('{"schema": "mlops.verify-round/1", "round": 7}')
    units = [Unit("a", 1)]
    course = walk(tmp_path / "round", units, Extent(resume=True), lambda unit: Outcome(1), lanes=1)
    assert course.checked == 1
