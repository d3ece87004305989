"""An edit through a link never changes the cache unnoticed, and is never lost."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files import linked
from mlops_cli.store.files.edited import settle
from mlops_cli.store.files.ingest import fingerprint, ingest
from mlops_cli.store.files.materialize import LinkKind, materialize, plan_materialize
from mlops_cli.store.statcache import StatCache

LINKS: tuple[LinkKind, ...] = ("hardlink", "symlink")


def world(base: Path, link: LinkKind) -> tuple[Cache, StatCache, Digest]:
    """A folder with two large files of one content and one of another, checked out by links."""
    chance = random.Random(2)
    same, other = chance.randbytes(300_000), chance.randbytes(300_000)
    (base / "data/inner").mkdir(parents=True)
    (base / "data/one").write_bytes(same)
    (base / "data/inner/two").write_bytes(same)
    (base / "data/three").write_bytes(other)
    cache = open_cache(base / "cache")
    stats = StatCache(base / "cache/stat.sqlite")
    stored = ingest(base / "data", cache=cache, stats=stats)
    shutil.rmtree(base / "data")
    materialize(
        plan_materialize(cache, stored.digest, "tree", base / "data", stats=stats), link=link
    )
    return cache, stats, stored.digest


def scribble(path: Path, *, keep_time: bool = False) -> bytes:
    """Write into the file in place, as `chmod +w` and an editor that does not rename do."""
    times = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"scribbled")
    if keep_time:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return path.read_bytes()


@pytest.mark.parametrize("link", LINKS)
def test_links_are_read_only_and_known(tmp_path: Path, link: LinkKind) -> None:
    cache, stats, tree = world(tmp_path, link)
    file = linked.beside(stats)
    known = linked.links(file, cache, tmp_path / "data")
    assert [one.path.removeprefix(f"{tmp_path}/data/") for one in known] == [
        "inner/two",
        "one",
        "three",
    ]
    assert (tmp_path / "data/one").stat().st_mode & 0o222 == 0
    assert settle(file, cache) == []
    assert fingerprint(tmp_path / "data", stats=stats, cache=cache).digest == tree


@pytest.mark.parametrize("keep_time", [False, True])
@pytest.mark.parametrize("link", LINKS)
def test_an_edit_is_noticed_kept_and_the_object_set_aside(
    tmp_path: Path, link: LinkKind, keep_time: bool
) -> None:
    cache, stats, tree = world(tmp_path, link)
    former = Digest.of((tmp_path / "data/one").read_bytes())
    edit = scribble(tmp_path / "data/one", keep_time=keep_time)

    found = fingerprint(tmp_path / "data", stats=stats, cache=cache)

    assert found.digest != tree
    assert not cache.has(former) and cache.objects.aside(former).exists()
    for name in ("one", "inner/two"):  # one file to the disk, so one edit
        place = tmp_path / "data" / name
        assert place.read_bytes() == edit and not place.is_symlink()
    assert (tmp_path / "data/three").is_symlink() == (link == "symlink")
    with pytest.raises(IntegrityError):
        cache.read(former)

    again = ingest(tmp_path / "data", cache=cache, stats=stats)
    assert cache.read(Digest.of(edit)) == edit and again.digest == found.digest


@pytest.mark.parametrize("link", LINKS)
def test_a_good_copy_can_be_brought_back_beside_the_edit(tmp_path: Path, link: LinkKind) -> None:
    cache, stats, tree = world(tmp_path, link)
    good = (tmp_path / "data/one").read_bytes()
    edit = scribble(tmp_path / "data/one")
    settle(linked.beside(stats), cache)
    cache.put(good)
    assert cache.read(Digest.of(good)) == good
    assert (tmp_path / "data/one").read_bytes() == edit
    plan = plan_materialize(cache, tree, "tree", tmp_path / "data", stats=stats)
    assert set(plan.unsaved) == {"one", "inner/two"}


def test_an_edit_is_kept_also_when_a_reader_was_first_to_notice(tmp_path: Path) -> None:
    cache, stats, _ = world(tmp_path, "symlink")
    former = Digest.of((tmp_path / "data/one").read_bytes())
    edit = scribble(tmp_path / "data/one")
    with pytest.raises(IntegrityError):
        cache.read(former)
    assert not (tmp_path / "data/one").exists()

    assert settle(linked.beside(stats), cache) == [
        f"{tmp_path}/data/inner/two",
        f"{tmp_path}/data/one",
    ]

    assert (tmp_path / "data/one").read_bytes() == edit


def test_what_the_disk_spoiled_is_no_edit(tmp_path: Path) -> None:
    cache, stats, _ = world(tmp_path, "symlink")
    former = Digest.of((tmp_path / "data/one").read_bytes())
    scribble(tmp_path / "data/one", keep_time=True)
    with pytest.raises(IntegrityError):
        cache.read(former)
    assert settle(linked.beside(stats), cache) == []
    assert not (tmp_path / "data/one").exists()  # checkout brings a good copy, when there is one


def test_a_link_that_goes_is_no_edit_and_costs_no_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, stats, _ = world(tmp_path, "hardlink")
    (tmp_path / "data/one").unlink()
    os.link(tmp_path / "data/three", tmp_path / "another")

    def never(*_: object) -> None:
        raise AssertionError("an object was read")

    monkeypatch.setattr("mlops_cli.store.hashing.hash_file", never)
    assert settle(linked.beside(stats), cache) == []


def test_what_only_looks_edited_stays(tmp_path: Path) -> None:
    cache, stats, tree = world(tmp_path, "hardlink")
    os.utime(tmp_path / "data/one")
    assert settle(linked.beside(stats), cache) == []
    assert fingerprint(tmp_path / "data", stats=stats, cache=cache).digest == tree


@pytest.mark.parametrize("link", LINKS)
def test_a_private_copy_takes_the_place_of_a_link(tmp_path: Path, link: LinkKind) -> None:
    cache, stats, tree = world(tmp_path, link)
    file = linked.beside(stats)
    (one,) = linked.links(file, cache, tmp_path / "data/one")

    linked.unlink(file, cache, one)

    scribble(tmp_path / "data/one")
    assert settle(file, cache) == []
    assert cache.has(one.digest) and cache.read(one.digest)
    assert fingerprint(tmp_path / "data", stats=stats, cache=cache).digest != tree
    assert not linked.links(file, cache, tmp_path / "data/one")


def test_a_memory_that_is_lost_or_garbled_stops_nobody(tmp_path: Path) -> None:
    cache, stats, tree = world(tmp_path, "hardlink")
    file = linked.beside(stats)
    file.write_bytes(b"not a database" * 100)
    assert settle(file, cache) == []
    file.unlink()
    scribble(tmp_path / "data/one")
    assert fingerprint(tmp_path / "data", stats=stats, cache=cache).digest != tree
    with pytest.raises(IntegrityError):  # every read hashes all the same
        cache.read(Digest.from_raw(bytes.fromhex(an_object(cache))))


def an_object(cache: Cache) -> str:
    """Return the digits of the object that was written to."""
    for path in (cache.root / "objects").glob("*/*"):
        if Digest.of(path.read_bytes()).hex != path.parent.name + path.name:
            return path.parent.name + path.name
    raise AssertionError("no object was edited")
