"""Killed at any point, or with the disk full: what is named is there, and the same command ends."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError, NotFound, OutsideWorld
from mlops_cli.store import lease
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import fingerprint, ingest
from mlops_cli.store.files.materialize import materialize, plan_materialize
from mlops_cli.store.statcache import StatCache
from mlops_cli.store.tree import parse_tree

INGEST = """
import sys
from pathlib import Path
from mlops_cli.store.files import ingest as ingesting, reading
from mlops_cli.store.cache import open_cache
from mlops_cli.store.statcache import StatCache
reading.PROCESSES_FROM = int(sys.argv[2])
{arrange}
base = Path(sys.argv[1])
stats = StatCache(base / "cache/stat.sqlite")
print("go", flush=True)
ingesting.ingest(base / "data", cache=open_cache(base / "cache"), stats=stats, jobs=2)
"""

CHECKOUT = """
import sys
from pathlib import Path
from mlops_cli.store.cache import open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.materialize import materialize, plan_materialize
{arrange}
base = Path(sys.argv[1])
print("go", flush=True)
tree = Digest.parse(sys.argv[2])
materialize(plan_materialize(open_cache(base / "cache"), tree, "tree", base / "out"))
"""

# The named function ends the process, the given number of calls in, as a power cut would.
DIE = """
import os, {module}
former, calls = {module}.{name}, [0]
def die(*args, **options):
    calls[0] += 1
    if calls[0] == {call}:
        os._exit(9)
    return former(*args, **options)
{module}.{name} = die
"""


def world(base: Path, files: int = 400) -> Path:
    data = base / "data"
    for number in range(files):
        path = data / f"{number % 7}" / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number * 50)
    (data / "large").write_bytes(random.Random(1).randbytes(400_000))
    return data


def whole(cache: Cache, tree: Digest) -> None:
    """Read everything the tree needs."""
    for entry in parse_tree(cache.read(tree)):
        if entry.mode == "dir":
            whole(cache, entry.digest)
        else:
            assert len(cache.read(entry.digest)) == entry.size


def sound(cache: Cache) -> None:
    """Every object that is there is right."""
    for digest in cache.iterate():
        cache.read(digest)


def run(script: str, base: Path, *arguments: str, arrange: str = "") -> int:
    code = script.format(arrange=arrange)
    return subprocess.run([sys.executable, "-c", code, str(base), *arguments]).returncode


PROCESSES, ALONE = "1", "100000"  # files from which on processes are started


@pytest.mark.parametrize(
    ("module", "name", "call", "processes"),
    [
        ("os", "replace", 1, PROCESSES),  # one of the few trees, when the files are sealed
        ("os", "replace", 3, PROCESSES),
        ("os", "replace", 1, ALONE),  # the pack that holds all, before its index
        ("os", "replace", 2, ALONE),
        ("os", "fsync", 2, ALONE),
        ("mlops_cli.store.tree", "write_rows", 1, PROCESSES),
        ("mlops_cli.store.pack_index", "write_index", 1, ALONE),
    ],
)
def test_ingest_killed_between_two_writes_leaves_nothing_wrong(
    tmp_path: Path, module: str, name: str, call: int, processes: str
) -> None:
    data = world(tmp_path)
    arrange = DIE.format(module=module, name=name, call=call)
    if name == "write_rows":
        arrange += "ingesting.write_rows = die\n"
    assert run(INGEST, tmp_path, processes, arrange=arrange) == 9
    cache = open_cache(tmp_path / "cache")
    sound(cache)
    stored = ingest(data, cache=cache, stats=StatCache(tmp_path / "cache/stat.sqlite"))
    whole(cache, stored.digest)


def test_ingest_killed_at_random_leaves_nothing_wrong(tmp_path: Path) -> None:
    data = world(tmp_path, 3000)
    chance = random.Random(7)
    for attempt in range(10):
        code = INGEST.format(arrange="")
        processes = ["1", "100000"][attempt % 2]
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), processes], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        try:
            child.wait(chance.uniform(0, 0.12))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        child.stdout.close()
        sound(open_cache(tmp_path / "cache"))
    cache = open_cache(tmp_path / "cache")
    stored = ingest(data, cache=cache, stats=StatCache(tmp_path / "cache/stat.sqlite"))
    whole(cache, stored.digest)
    assert stored == fingerprint(data)


@pytest.mark.parametrize(
    ("name", "call"), [("mkdir", 2), ("mkdir", 5), ("rename", 1), ("write", 100), ("link", 1)]
)
def test_checkout_killed_half_way_leaves_no_half_file_and_completes(
    tmp_path: Path, name: str, call: int
) -> None:
    cache = open_cache(tmp_path / "cache")
    stored = ingest(world(tmp_path), cache=cache)
    if name == "link":  # into a folder that exists: file by file
        materialize(plan_materialize(cache, stored.digest, "tree", tmp_path / "out"))
        (tmp_path / "out/3/3").unlink()
    arrange = DIE.format(module="os", name=name, call=call)
    assert run(CHECKOUT, tmp_path, stored.digest, arrange=arrange) == 9
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file() and not path.name.startswith(".tmp-mlops-"):
            assert (
                path.read_bytes()
                == (tmp_path / "data" / path.relative_to(tmp_path / "out")).read_bytes()
            )
    plan = plan_materialize(cache, stored.digest, "tree", tmp_path / "out")
    assert plan.unsaved == ()
    materialize(plan)
    assert fingerprint(tmp_path / "out") == stored
    assert not list(tmp_path.rglob(".tmp-mlops-*"))


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    world(tmp_path)
    code = INGEST.format(
        arrange="import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n"
    )
    for processes in ("1", "100000"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), processes], capture_output=True, text=True
        )
        assert "cannot write" in done.stderr, done.stderr
        left = [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.suffix != ".clock"]
        left = [path for path in left if "stat.sqlite" not in path.name]
        assert [path for path in left if path.name != lease.NAME or path.stat().st_size] == []


def test_a_checkout_that_does_not_fit_leaves_the_former_state(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    stored = ingest(world(tmp_path), cache=cache)
    plan = plan_materialize(cache, stored.digest, "tree", tmp_path / "out")
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, former[1]))
    try:
        with pytest.raises(OutsideWorld):
            materialize(plan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, handler)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob(".tmp-mlops-*"))
    materialize(plan)
    assert fingerprint(tmp_path / "out") == stored


@pytest.mark.parametrize("keep", [0, 5, 60, 3000])
def test_a_truncated_pack_is_noticed_object_by_object(tmp_path: Path, keep: int) -> None:
    cache = open_cache(tmp_path / "cache")
    data = world(tmp_path)
    stored = ingest(data, cache=cache, jobs=1)
    (pack,) = (tmp_path / "cache/packs").glob("*.pack")
    pack.chmod(0o644)
    os.truncate(pack, keep)
    cache = open_cache(tmp_path / "cache")
    held = list(cache.iterate())
    bad = 0
    for digest in held:
        try:
            cache.read(digest)
        except IntegrityError as exc:
            bad += 1
            assert exc.code == "damaged-object"
    assert bad >= (len(held) - 1 if keep < 100 else 1)
    with pytest.raises((NotFound, IntegrityError)):
        whole(cache, stored.digest)
    assert ingest(data, cache=cache) == stored
    whole(cache, stored.digest)


def test_every_single_flipped_byte_of_a_pack_is_harmless(tmp_path: Path) -> None:
    contents = [b"object %d" % number for number in range(20)]
    for at in range(0, 1000, 37):
        cache = open_cache(tmp_path / f"{at}")
        with cache.writer() as writer:
            digests = [writer.put(data) for data in contents]
        (pack,) = (tmp_path / f"{at}/packs").glob("*.pack")
        data = bytearray(pack.read_bytes())
        data[at % len(data)] ^= 0x10
        pack.chmod(0o644)
        pack.write_bytes(data)
        cache = open_cache(tmp_path / f"{at}")
        for digest, content in zip(digests, contents, strict=True):
            try:
                assert cache.read(digest) == content
            except IntegrityError as exc:
                assert digest in exc.message
                cache.put(content)
                assert cache.read(digest) == content


def test_every_single_flipped_byte_of_an_index_is_harmless(tmp_path: Path) -> None:
    contents = [b"object %d" % number for number in range(20)]
    for at in (*range(0, 1040, 61), *range(1040, 2000, 23)):
        cache = open_cache(tmp_path / f"{at}")
        with cache.writer() as writer:
            digests = [writer.put(data) for data in contents]
        (index,) = (tmp_path / f"{at}/packs").glob("*.idx")
        data = bytearray(index.read_bytes())
        data[at % len(data)] ^= 0x10
        index.chmod(0o644)
        index.write_bytes(data)
        cache = open_cache(tmp_path / f"{at}")
        for digest, content in zip(digests, contents, strict=True):
            try:
                assert cache.read(digest) == content
            except (IntegrityError, NotFound):
                cache.put(content)
                assert cache.read(digest) == content
