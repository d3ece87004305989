"""gc killed at any point, beside writers, or with the disk full: what is needed is all there."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest

from mlops_cli.errors import OutsideWorld, StateRefused
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.condemned import Moment
from mlops_cli.store.digest import Digest
from mlops_cli.store.space import collect, removal
from mlops_cli.store.space.collect import Named, Needs
from mlops_cli.store.space.fold import fold

ROUNDS = int(os.environ.get("MLOPS_KILLS", "15"))
NOW = Moment(1_700_000_000)
CALLS = ("replace", "unlink", "fsync", "open", "write", "writev", "chmod", "mkdir")


def needing(digests: Iterable[Digest]) -> Needs:
    return Needs(Named(frozenset(digest.raw for digest in digests)))


def gc(cache: Cache, needs: Needs, *, merge: bool = True) -> dict[bytes, int]:
    """Remove all that is not needed, without grace and without a remote."""
    with removal.alone(cache):
        outlook = collect.plan(
            cache, needs, now=NOW, grace=0, held=lambda raws: set(), unpushed=True
        )
        return collect.sweep(cache, outlook, again=lambda: needs, merge=merge)


def world(root: Path) -> tuple[list[Digest], list[Digest]]:
    """Return what is needed and what is not: packed, whole and folded, mixed everywhere."""
    cache, chance = open_cache(root), random.Random(1)
    every: list[Digest] = []
    for batch in range(2):
        with cache.writer() as writer:
            every += [writer.put(b"small %d %d" % (batch, number)) for number in range(40)]
    every += [cache.put(chance.randbytes(1000)) for _ in range(6)]
    base = chance.randbytes(1_200_000)
    large = [cache.put(base + bytes([number])) for number in range(2)]
    fold(cache, large)
    return every[::2] + large[:1], every[1::2] + large[1:]


def die_at(call: int) -> None:
    """End this process at the given call that reaches the disk."""
    done = 0

    def dying(name: str) -> None:
        former = getattr(os, name)

        def die(*words: object, **options: object) -> object:
            nonlocal done
            done += 1
            if done == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return former(*words, **options)

        setattr(os, name, die)

    for name in CALLS:
        dying(name)


def forked(work: object, *words: object) -> int:
    """Do `work` in a process of its own; return how it ended."""
    child = os.fork()
    if child == 0:
        try:
            work(*words)  # type: ignore[operator]
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def whole(cache: Cache, digests: Iterable[Digest]) -> None:
    for digest in digests:
        assert Digest.of(cache.read(digest)) == digest


def test_gc_killed_anywhere_keeps_what_is_needed_and_ends_the_next_time(tmp_path: Path) -> None:
    needed, unneeded = world(tmp_path / "first")

    def killed(root: Path, call: int) -> None:
        die_at(call)
        gc(open_cache(root), needing(needed))

    points, last = list(range(1, 400)), 400
    random.Random(ROUNDS).shuffle(points)
    ends = 0
    for call in points:
        if call > last:
            continue
        root = tmp_path / f"{call}"
        shutil.copytree(tmp_path / "first", root)
        status = forked(killed, root, call)
        if status == 0:
            last = min(last, call)
        assert status in (0, signal.SIGKILL)
        cache = open_cache(root)
        whole(cache, needed)
        gc(cache, needing(needed))
        assert not [digest for digest in unneeded if cache.has(digest)]
        whole(open_cache(root), needed)
        shutil.rmtree(root)
        ends += status != 0
        if ends >= ROUNDS:
            return
    assert ends > 20


def test_packs_become_one_and_nothing_is_left_behind(tmp_path: Path) -> None:
    needed, unneeded = world(tmp_path)
    gone = gc(open_cache(tmp_path), needing(needed))
    assert gone.keys() == {digest.raw for digest in unneeded}
    assert len(list((tmp_path / "packs").glob("*.pack"))) == 1
    assert len(list((tmp_path / "cold/packs").glob("*.pack"))) == 1
    whole(open_cache(tmp_path), needed)
    # an open cache, whose maps are of packs that are gone, looks again
    size = removal.disk_use(open_cache(tmp_path))
    assert size < 1_300_000


def test_a_reader_does_not_mind_that_packs_are_rewritten(tmp_path: Path) -> None:
    needed, _ = world(tmp_path)
    reader = open_cache(tmp_path)
    whole(reader, needed[:3])
    gc(open_cache(tmp_path), needing(needed))
    whole(reader, needed)
    found = dict(reader.read_many([digest.raw for digest in needed]))
    assert len(found) == len(needed)


def test_a_full_disk_while_packs_are_rewritten_loses_nothing(tmp_path: Path) -> None:
    needed, unneeded = world(tmp_path)
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, former[1]))
    try:
        with pytest.raises(OutsideWorld):
            gc(open_cache(tmp_path), needing(needed))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list((tmp_path / "tmp").iterdir())
    cache = open_cache(tmp_path)
    whole(cache, needed)
    gc(cache, needing(needed))
    assert not [digest for digest in unneeded if cache.has(digest)]


def test_gc_frees_a_disk_on_which_nothing_can_be_written(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    needed, unneeded = cache.put(b"needed" * 100), cache.put(b"unneeded" * 100)
    with cache.writer() as writer:
        packed = [writer.put(b"packed %d" % number) for number in range(40)]
    (tmp_path / "packs/.lock").touch()
    (tmp_path / "gc").mkdir()
    (tmp_path / "gc/.lock").touch()
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, former[1]))
    try:
        gone = gc(cache, needing([needed]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, handler)
    assert gone.keys() == {digest.raw for digest in (unneeded, *packed)}
    assert cache.read(needed) == b"needed" * 100


def test_adding_beside_gc_never_leaves_a_name_without_its_bytes(tmp_path: Path) -> None:
    """One process sweeps without grace; this one stores what is just being swept, and names it."""
    root, names = tmp_path / "cache", tmp_path / "names"
    names.mkdir()
    contents = [b"again and again %d" % number for number in range(12)]

    def named() -> Needs:
        texts = [path.read_bytes() for path in names.iterdir() if path.suffix == ".txt"]
        return Needs(collect.names_in(b"\n".join(texts)))

    def sweeping() -> None:
        cache = open_cache(root)
        while not (tmp_path / "stop").exists():
            try:
                with removal.alone(cache):
                    outlook = collect.plan(
                        cache, named(), now=NOW, grace=0, held=lambda raws: set(), unpushed=True
                    )
                    collect.sweep(cache, outlook, again=named)
            except (StateRefused, FileNotFoundError):
                continue

    open_cache(root).put(b"first")
    child = os.fork()
    if child == 0:
        try:
            sweeping()
        finally:
            os._exit(0)
    try:
        chance, cache = random.Random(2), open_cache(root)
        for number in range(4 * ROUNDS):
            chosen = chance.sample(contents, 3)
            with cache.writing():
                if number % 2:
                    digests = [cache.put(data) for data in chosen]
                else:
                    with cache.writer() as writer:
                        digests = [writer.put(data) for data in chosen]
                fresh = names / "fresh"
                fresh.write_text("\n".join(digests))
                fresh.rename(names / "now.txt")
            whole(open_cache(root), digests)
    finally:
        (tmp_path / "stop").touch()
        os.waitpid(child, 0)
    whole(open_cache(root), digests)
