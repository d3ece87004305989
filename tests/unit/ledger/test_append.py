"""Records reach the ref of their writer in one commit, and nothing else moves."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_cli.errors import StateRefused
from mlops_cli.ledger.append import Ledger, open_ledger, writer_name
from mlops_cli.ledger.record import Record, record
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 2, 1, tzinfo=UTC)
NOTE = {"to": "data", "about": "", "text": "the station moved"}


def said(n: object) -> Record:
    return record("feedback", time=WHEN, actor="Ada <ada@example.com>", **NOTE, n=n)


def held(git: Git, ledger: Ledger) -> set[bytes]:
    return set(refs.read_tree(git, ledger.ref).values())


def test_a_flush_commits_all_that_was_spooled_and_touches_nothing_else(git: Git) -> None:
    (git.root / "staged").write_text("s")
    git.run("add", "staged")
    before = (git.head(), git.run("status", "--porcelain"))
    ledger = open_ledger(git)
    ledger.spool(said(1))
    ledger.spool(said(2))
    assert refs.tips(git, ledger.ref) == {}
    digests = ledger.flush()
    assert digests == [said(1).digest, said(2).digest]
    assert refs.read_tree(git, ledger.ref) == {said(n).path: said(n).data for n in (1, 2)}
    assert git.run("log", "--format=%s", ledger.ref) == "ledger: 2 feedback"
    assert (git.head(), git.run("status", "--porcelain")) == before
    assert ledger.flush() == []
    assert git.run("rev-list", "--count", ledger.ref) == "1"


def test_records_of_dead_processes_are_adopted(git: Git) -> None:
    ledger = open_ledger(git)
    ledger.spool(said("left behind"))
    mine = ledger.folder / f"{os.getpid()}.jsonl"
    mine.rename(ledger.folder / "999999.jsonl")
    ledger.append(said("new"))
    assert held(git, ledger) == {said("left behind").data, said("new").data}
    assert list(ledger.folder.iterdir()) == []


def test_a_torn_last_line_is_set_aside_and_stops_nothing(git: Git) -> None:
    ledger = open_ledger(git)
    ledger.spool(said(1))
    spooled = ledger.folder / f"{os.getpid()}.jsonl"
    with open(spooled, "ab") as file:
        file.write(b'0123abc {"half')
    ledger.spool(said(2))
    ledger.flush()
    assert held(git, ledger) == {said(1).data, said(2).data}
    assert (ledger.folder / "torn.txt").read_bytes() == b'0123abc {"half\n'


def test_records_stay_spooled_when_git_refuses(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = open_ledger(git)
    git.run("config", "--unset", "user.email")
    git.run("config", "user.useConfigOnly", "true")
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(git.root))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    with pytest.raises(StateRefused) as refused:
        ledger.append(said(1))
    assert refused.value.code == "no-identity"
    git.run("config", "user.email", "ada@example.com")
    assert ledger.flush() == [said(1).digest]


def test_two_writers_at_once_lose_nothing(git: Git) -> None:
    one, two = open_ledger(git), Ledger(git, open_ledger(git).writer, git.root / "other-spool")
    with ThreadPoolExecutor(2) as pool:
        for n in range(8):
            list(pool.map(lambda ledger, n=n: ledger.append(said((id(ledger), n))), (one, two)))
    assert len(held(git, one)) == 16


def test_the_writer_is_host_and_clone_or_the_job(git: Git) -> None:
    name = writer_name(git, host="My Box.local")
    assert name.startswith("my-box-local-")
    assert writer_name(git) == name
    assert writer_name(git, job="GitHub/1234 #5") == "github-1234-5"
    assert git.call("check-ref-format", refs.LEDGER + name).code == 0


def test_five_hundred_records_in_one_flush_take_well_under_half_a_second(git: Git) -> None:
    ledger = open_ledger(git)
    ledger.append(*[said(["before", n]) for n in range(3000)])
    for n in range(500):
        ledger.spool(
            record("feedback", time=WHEN, actor="a", to="owner", about="", n=n, text="x" * 900)
        )
    begun = time.perf_counter()
    ledger.flush()
    # measured 0.1 s; the bound leaves room for a busy machine
    assert time.perf_counter() - begun < 0.5


def test_an_append_costs_the_same_on_a_long_ledger(git: Git, tmp_path: Path) -> None:
    short, long = open_ledger(git), Ledger(git, "long", tmp_path / "spool")
    long.append(*[said(n) for n in range(5000)])

    def cost(ledger: Ledger) -> float:
        begun = time.perf_counter()
        ledger.append(said([ledger.writer, begun]))
        return time.perf_counter() - begun

    quickest = [min(cost(ledger) for _ in range(6)) for ledger in (short, long)]
    assert quickest[1] < 3 * quickest[0] + 0.01
