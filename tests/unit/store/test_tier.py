"""Caches of several projects and users: group folders, read-only tiers, and no byte believed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.store.cache import open_cache
from mlops_cli.store.care.rounds import Extent
from mlops_cli.store.care.verify import verify
from mlops_cli.store.closure import Root
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import ingest
from mlops_cli.store.files.materialize import materialize, plan_materialize
from mlops_cli.store.files.reading import PROCESSES_FROM
from mlops_cli.store.space import projects, used
from mlops_cli.store.space.fold import fold
from mlops_cli.store.tier import open_tier

GROUP = 61_000  # exists nowhere but in these tests
ADA, BOB, EVE = 61_001, 61_002, 61_003

by_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users, which root can")


def as_user(user: int, group: int, work: Callable[[], None], *, umask: int = 0o022) -> int:
    """Do `work` as another user, in a process of its own; return its exit status."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([GROUP] if group == GROUP else [])
            os.setgid(user)
            os.setuid(user)
            os.umask(umask)
            work()
            os._exit(0)
        except PermissionError:
            os._exit(13)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def reachable(folder: Path) -> None:
    """Let other users come as far as `folder`, which pytest keeps to itself."""
    for each in (folder, *folder.parents):
        if each.stat().st_uid == os.geteuid() and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o055)
        if each.name.startswith("pytest-of"):
            return


@by_root
@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_two_users_of_one_group_write_to_one_cache(tmp_path: Path, umask: int) -> None:
    reachable(tmp_path)
    team = tmp_path / "team"
    team.mkdir()
    os.chown(team, ADA, GROUP)
    team.chmod(0o2775)
    root = team / "cache"

    def first() -> None:
        projects.found(root)
        cache = open_cache(root)
        cache.put(b"of Ada" * 100_000)
        with cache.writer() as writer:
            for number in range(40):
                writer.put(b"small %d" % number)
        projects.register(root, Path("/home/ada"))
        used.note(root, [b"\0" * 32], 1)

    def second() -> None:
        cache = open_cache(root)
        assert cache.read(Digest.of(b"of Ada" * 100_000))
        cache.put(b"of Ada" * 100_000)
        for number in range(60):  # into folders that Ada made, and into new ones
            cache.put(b"of Bob %d" % number)
        with cache.writer() as writer:
            for number in range(80):
                writer.put(b"smaller %d" % number)
        cache.packs.drop(Digest.of(b"small 1").raw, next((root / "packs").glob("*.pack")))
        fold(cache, [cache.put(os.urandom(1_200_000))])
        projects.register(root, Path("/home/bob"))
        used.note(root, [b"\1" * 32], 2)

    assert as_user(ADA, GROUP, first, umask=umask) == 0
    assert as_user(BOB, GROUP, second, umask=umask) == 0
    assert {path.name for path in projects.registered(root)} == {"ada", "bob"}
    assert len((root / used.NAME).read_bytes()) == 80
    assert {path.stat().st_gid for path in root.rglob("*")} == {GROUP}


@by_root
def test_a_user_who_may_only_read_reads_and_stores_in_a_cache_of_their_own(tmp_path: Path) -> None:
    reachable(tmp_path)
    shared, own = tmp_path / "shared", tmp_path / "own"
    digest = open_cache(shared).put(b"of everybody" * 50_000)
    own.mkdir()
    os.chown(own, EVE, EVE)

    def work() -> None:
        cache = open_cache(own / "cache", (open_tier(shared),))
        projects.register(shared, Path("/home/eve"))  # keeps no name, and says nothing
        assert cache.has(digest) and cache.size(digest) == 600_000
        assert Digest.of(cache.read(digest)) == digest
        mine = cache.put(b"of everybody" * 50_000)  # what belongs to others is not relied upon
        assert open_cache(own / "cache").has(mine)

    before = sorted(shared.rglob("*"))
    assert as_user(EVE, EVE, work) == 0
    assert sorted(shared.rglob("*")) == before


def test_every_way_of_reading_reaches_a_tier(tmp_path: Path) -> None:
    shared = open_cache(tmp_path / "shared")
    large = shared.put(os.urandom(300_000))
    with shared.writer() as writer:
        small = [writer.put(b"small %d" % number) for number in range(40)]
    cache = open_cache(tmp_path / "own", (open_tier(tmp_path / "shared"),))
    for digest in (large, small[3]):
        with cache.open(digest) as stream:
            data = stream.read()
        assert Digest.of(data) == digest == Digest.of(cache.read(digest))
        assert cache.copy_to(digest, tmp_path / digest.hex) == len(data) == cache.size(digest)
        assert (tmp_path / digest.hex).read_bytes() == data
    assert not cache.lacking({large.raw, small[0].raw})
    assert len(dict(cache.read_many([digest.raw for digest in small]))) == 40
    assert list(cache.iterate()) == []


def test_thousands_of_small_files_come_from_a_tier(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(PROCESSES_FROM + 1):
        (data / f"{number}").write_text(f"{number}")
    stored = ingest(data, cache=open_cache(tmp_path / "shared"))
    cache = open_cache(tmp_path / "own", (open_tier(tmp_path / "shared"),))
    materialize(plan_materialize(cache, stored.digest, "tree", tmp_path / "out"))
    assert (tmp_path / "out/77").read_text() == "77"
    assert len(list((tmp_path / "out").iterdir())) == PROCESSES_FROM + 1


def test_wrong_bytes_in_a_tier_are_refused_and_left_where_they_are(tmp_path: Path) -> None:
    shared = open_cache(tmp_path / "shared")
    digest = shared.put(os.urandom(300_000))
    place = shared.objects.path(digest)
    place.chmod(0o644)
    place.write_bytes(os.urandom(300_000))
    cache = open_cache(tmp_path / "own", (open_tier(tmp_path / "shared"),))
    with pytest.raises(IntegrityError) as refused:
        cache.read(digest)
    assert "read-only tier" in refused.value.message
    with pytest.raises(IntegrityError):
        cache.copy_to(digest, tmp_path / "out")
    assert place.exists() and not (tmp_path / "out").exists()
    assert not (tmp_path / "shared/quarantine").exists()


def test_what_only_a_tier_has_is_left_to_its_keeper_and_hashed_when_it_is_read(
    tmp_path: Path,
) -> None:
    keeper = open_cache(tmp_path / "team")
    (tmp_path / "big.bin").write_bytes(b"x" * (1 << 20))
    stored = ingest(tmp_path / "big.bin", cache=keeper)
    place = keeper.objects.path(stored.digest)
    place.chmod(0o644)
    place.write_bytes(b"y" * (1 << 20))
    cache = open_cache(tmp_path / "own", (open_tier(keeper.root),))
    root = Root("big.bin", stored.digest, stored.kind, stored.size, 1)
    report = verify(cache, [root], extent=Extent())
    assert (report.clean, report.checked) == (True, 0)
    with pytest.raises((IntegrityError, NotFound)):
        cache.read(stored.digest)
