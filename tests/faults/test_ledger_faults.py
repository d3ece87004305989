"""The ledger when the world is against it: full disks, kills, strange names, clocks, sizes."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import mlops_cli
from mlops_cli.errors import OutsideWorld, StateRefused
from mlops_cli.ledger import fold, spool
from mlops_cli.ledger.append import Ledger, open_ledger, writer_name
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import Record, parse, record
from mlops_cli.ledger.verify import verify
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

SOURCE = str(Path(mlops_cli.__file__).parents[1])
WHEN = datetime(2013, 2, 1, tzinfo=UTC)
KILLS = int(os.environ.get("MLOPS_KILLS", "2"))

FOLDER = """
import sys
sys.path.insert(0, sys.argv[2])
from datetime import UTC, datetime
from pathlib import Path
from mlops_cli.ledger import fold
from mlops_cli.vcs.repo import Git
sys.stdout.write("x\\n")
sys.stdout.flush()
later = datetime(2030, 1, 1, tzinfo=UTC)
fold.fold(Git(Path(sys.argv[1])), fold.Place(sys.argv[3] or None), before=later, now=later)
"""

NOTE = {"to": "data", "about": "", "text": "the station moved"}


def said(n: object, **more: Any) -> Record:
    return record("feedback", time=WHEN, actor="Ada", **NOTE, n=n, **more)


def known(git: Git) -> set[Any]:
    with open_index(git) as index:
        return {one["n"] for one in index.newest()}


@pytest.fixture
def git(tmp_path: Path) -> Git:
    made = Git.init(tmp_path / "repo")
    with open(made.git_dir / "config", "a") as config:
        config.write("[user]\n name = Ada\n email = ada@example.com\n[commit]\n gpgsign = false\n")
    made.run("commit", "-q", "--allow-empty", "-m", "first")
    (made.root / ".mlops").mkdir()
    return made


@pytest.mark.parametrize("remote", ["", "origin"])
def test_kill_in_a_fold_loses_no_record_and_the_next_one_completes(
    git: Git, tmp_path: Path, remote: str
) -> None:
    chance = random.Random(5)
    if remote:
        git.run("clone", "-q", "--bare", str(git.root), str(tmp_path / "hub"))
        git.run("remote", "add", "origin", str(tmp_path / "hub"))
    written: set[int] = set()
    for attempt in range(KILLS):
        for n in range(3):
            Ledger(git, f"w{attempt}-{n}", git.root / ".mlops/spool").append(said(10 * attempt + n))
            written.add(10 * attempt + n)
        if remote:
            git.run("push", "-q", "origin", "refs/mlops/ledger/*:refs/mlops/ledger/*")
        words = [sys.executable, "-c", FOLDER, str(git.root), SOURCE, remote]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as child:
            assert child.stdout
            child.stdout.readline()
            time.sleep(chance.random() * 0.15)  # any moment of it
            child.send_signal(signal.SIGKILL)
        for lock in git.git_dir.glob("refs/mlops/**/*.lock"):
            lock.unlink()  # of a git that was killed with it
        assert known(git) == written
    place = fold.Place(remote or None)
    fold.fold(git, place, before=WHEN + timedelta(days=1), now=WHEN)
    assert known(git) == written
    assert verify(git).clean
    if remote:
        hub = Git(tmp_path / "hub")
        assert list(refs.tips(hub, refs.LEDGER)) == [refs.LEDGER + refs.SEGMENTS]


def test_a_full_disk_keeps_no_half_line_and_the_next_append_goes_on(
    git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(git)
    ledger.spool(said(1))
    real = os.write

    def full(handle: int, data: Any) -> int:
        if len(data) > 40:
            return real(handle, data[:40])
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(spool.os, "write", full)
    with pytest.raises(OutsideWorld) as refused:
        ledger.spool(said(2, words="w" * (3 * 40 - 1)))
    assert refused.value.code == "disk-full"
    monkeypatch.undo()
    ledger.append(said(3))
    assert known(git) == {1, 3}
    assert not (ledger.folder / spool.TORN).exists()


@pytest.mark.parametrize(
    "name",
    ["../../heads/main", "-rf", "a b\n\tc", "@{-1}", "ü.lock", "", "x" * 5000, "_segments"],
)  # fmt: skip
def test_a_hostile_name_of_a_writer_is_made_harmless(git: Git, name: str) -> None:
    writer = writer_name(git, job=name or "//")
    ref = refs.LEDGER + writer
    assert git.call("check-ref-format", ref).code == 0
    Ledger(git, writer, git.root / ".mlops/spool").append(said(1))
    assert list(refs.tips(git, "refs/mlops/")) == [ref]
    assert ref != refs.LEDGER + refs.SEGMENTS
    git.run("config", "mlops.writer", name or ".")
    assert refs.LEDGER + writer_name(git) == refs.LEDGER + writer_name(git).strip("-")


def test_hostile_refs_and_paths_of_others_stop_nothing(git: Git) -> None:
    open_ledger(git).append(said(1))
    bad = {
        "records/zz/nothing.json": b"{}",
        f"records/aa/{'b' * 64}.json": b"{}",
        f"a/b/records/aa/{'a' * 64}.json": b"{}",
        "months/x.jsonl": b"\xff\xfe\nsha " * 9,
        "folded": b"0 ../../../heads/main\n\xff",
    }
    refs.append(git, refs.LEDGER + "evil$(id)", bad, "m")
    refs.append(git, refs.LEDGER + refs.SEGMENTS, bad, "m")
    head = git.head().commit
    assert known(git) == {1}
    assert not verify(git).clean
    fold.fold(git, fold.Place(), before=WHEN + timedelta(days=1), now=WHEN)
    assert known(git) == {1}
    assert git.head().commit == head


def test_a_clock_that_runs_backwards_loses_nothing(git: Git) -> None:
    ledger = open_ledger(git)
    for year in (2013, 1971, 2200, 2012):
        ledger.append(record("feedback", time=WHEN.replace(year=year), actor="Ada", **NOTE, n=year))
    with open_index(git) as index:
        assert [one["n"] for one in index.newest()] == [2200, 2013, 2012, 1971]
    assert fold.fold(git, fold.Place(), before=WHEN, now=WHEN.replace(year=1970)).empty
    late = WHEN.replace(year=2201)
    fold.fold(git, fold.Place(), before=late, now=WHEN.replace(year=1970))
    assert known(git) == {2013, 1971, 2200, 2012}


def test_a_record_of_ten_megabytes_is_kept_short_or_refused(git: Git) -> None:
    ledger = open_ledger(git)
    ledger.append(said(1, words="w" * 10_000_000))
    with open_index(git) as index:
        (one,) = index.newest()
    assert one["words"].endswith("(9,934,464 more letters)")
    assert len(one.data) < 70_000
    with pytest.raises(StateRefused) as refused:
        ledger.append(said(2, many=["w" * 60_000] * 300))
    assert refused.value.code == "record-too-large"
    assert known(git) == {1}


@pytest.mark.parametrize(
    "data",
    [
        b'{"kind":"feedback", "n":1}',
        b'{"n":1,"kind":"feedback"}',
        b'{"kind":"feedback","n":NaN}',
        b'{"kind":"feedback","kind":"feedback"}',
        b'{"kind":7}',
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b'{"kind":"feedback","n":1e999}',
    ],
)
def test_bytes_that_are_no_canonical_record_are_refused_though_their_name_is_right(
    git: Git, data: bytes
) -> None:
    from mlops_cli.errors import IntegrityError
    from mlops_cli.store.digest import Digest

    open_ledger(git).append(said(1))
    name = Digest.of(data)
    refs.append(git, refs.LEDGER + "w", {f"records/{name.hex[:2]}/{name.hex}.json": data}, "m")
    with pytest.raises(IntegrityError):
        parse(data, name=name, source="w")
    with open_index(git) as index:
        assert [one["n"] for one in index.newest()] == [1]
        assert list(index.damaged()) == [name]
