"""Writers fold into segments: the same answers from fewer refs, whoever else is at work."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_cli.errors import OutsideWorld
from mlops_cli.ledger import fold
from mlops_cli.ledger.append import Ledger, open_ledger
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.layout import look_up
from mlops_cli.ledger.record import Record, record
from mlops_cli.ledger.verify import verify
from mlops_cli.vcs import exchange, ledger_branch, refs
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 1, 1, tzinfo=UTC)
NOTE = {"to": "data", "about": "", "text": "the station moved"}
LATER = WHEN + timedelta(days=4000)
ROUNDS = int(os.environ.get("MLOPS_ROUNDS", "1"))


def said(n: object, *, day: int = 0) -> Record:
    return record("feedback", time=WHEN + timedelta(days=day), actor="Ada", **NOTE, n=n)


def known(git: Git) -> set[str]:
    with open_index(git) as index:
        assert index.damaged() == {}
        return {str(one.digest) for one in index.newest()}


@pytest.fixture
def clone(git: Git, tmp_path: Path) -> Callable[[int], Git]:
    """clone(3): another clone of one bare repository."""
    git.run("clone", "-q", "--bare", str(git.root), str(tmp_path / "hub"))

    def make(n: int) -> Git:
        git.run("clone", "-q", str(tmp_path / "hub"), str(tmp_path / f"clone{n}"))
        made = Git(tmp_path / f"clone{n}")
        with open(made.git_dir / "config", "a") as config:
            config.write("[user]\n name = Ada\n email = ada@example.com\n")
        (made.root / ".mlops").mkdir(exist_ok=True)
        return made

    return make


def test_the_same_records_give_the_same_bytes_and_the_same_answers(git: Git) -> None:
    for n in range(4):
        Ledger(git, f"w{n}", git.root / ".mlops/spool").append(said(n, day=20 * n), said("x"))
    before = known(git)
    planned = fold.plan(git, fold.Place(), before=LATER)
    assert planned == fold.plan(git, fold.Place(), before=LATER)
    assert planned.records == 8
    done = fold.fold(git, fold.Place(), before=LATER, now=LATER)
    assert done == planned
    assert list(refs.tips(git, refs.LEDGER)) == [refs.LEDGER + refs.SEGMENTS]
    assert known(git) == before
    git.run("reflog", "expire", "--all", "--expire=now")
    git.run("gc", "-q", "--prune=now")
    (git.root / ".mlops/index.sqlite").unlink(missing_ok=True)
    assert known(git) == before
    assert verify(git).checked == 5
    one = said(2, day=40)
    assert look_up(git, [str(one.digest)]) == {one.digest: [("w2", one.data)]}
    assert fold.fold(git, fold.Place(), before=LATER, now=LATER).empty


def test_a_writer_who_wrote_lately_and_a_damaged_ledger_stay(git: Git) -> None:
    Ledger(git, "new", git.root / ".mlops/spool").append(said(1, day=50), said(2))
    refs.append(git, refs.LEDGER + "bad", {said(3).path: b"{}"}, "m")
    refs.append(git, refs.LEDGER + "notes", {"README": b"hello"}, "m")
    done = fold.plan(git, fold.Place(), before=WHEN + timedelta(days=30))
    assert done.empty
    assert list(done.left) == ["bad", "notes"]
    assert str(said(3).digest) in done.left["bad"]


def test_a_damaged_line_of_a_segment_is_refused_by_name_and_the_rest_answers(git: Git) -> None:
    Ledger(git, "w", git.root / ".mlops/spool").append(said(1), said(2))
    fold.fold(git, fold.Place(), before=LATER, now=LATER)
    ref = refs.LEDGER + refs.SEGMENTS
    files = refs.read_tree(git, ref)
    wrong = files["months/2013-01.jsonl"].replace(b'"n":1', b'"n":9')
    refs.append(git, ref, {"months/2013-01.jsonl": wrong + b"no line at all\n"}, "forged")
    with open_index(git) as index:
        assert {one["n"] for one in index.newest()} == {2}
        assert said(1).digest in index.damaged()
    assert not verify(git).clean


@pytest.mark.parametrize("branch", [None, "mlops-ledger"])
def test_clones_that_write_send_and_fold_at_once_lose_no_record(
    clone: Callable[[int], Git], tmp_path: Path, branch: str | None
) -> None:
    clones = [clone(n) for n in range(8 if branch is None else 3)]
    written: set[str] = set()
    for turn in range(ROUNDS):
        made = {n: said([turn, n], day=turn) for n in range(len(clones))}

        def work(n: int, made: dict[int, Record] = made) -> None:
            open_ledger(clones[n]).append(made[n])
            exchange.send_ledger(clones[n], "origin", branch)
            if n < 2:  # two who fold at the same time
                fold.fold(clones[n], fold.Place("origin", branch), before=LATER, now=LATER)

        with ThreadPoolExecutor(len(clones)) as pool:
            list(pool.map(work, made))
        written |= {str(one.digest) for one in made.values()}
        reader = clones[turn % len(clones)]
        exchange.fetch_ledger(reader, "origin", branch)
        assert known(reader) == written
    for git in clones:
        exchange.send_ledger(git, "origin", branch)
    last = clone(99)
    exchange.fetch_ledger(last, "origin", branch)
    assert known(last) == written
    assert verify(last).clean


def test_two_branches_with_a_thousand_runs_each_merge_without_a_conflict(
    clone: Callable[[int], Git],
) -> None:
    one, two = clone(1), clone(2)
    for n, git in enumerate((one, two)):
        git.run("switch", "-q", "-c", f"branch{n}")
        (git.root / f"file{n}").write_text("x")
        git.run("add", ".")
        git.run("commit", "-qm", f"of branch {n}")
        open_ledger(git).append(*(said([n, run]) for run in range(1000)))
        exchange.send(git, "origin")
        git.run("push", "-q", "origin", f"branch{n}")
    exchange.receive(one, "origin")
    one.run("fetch", "-q", "origin")
    one.run("merge", "-q", "--no-edit", "origin/branch1")
    assert len(known(one)) == 2000


def test_a_clone_that_was_away_while_its_ledger_was_folded_goes_on(
    clone: Callable[[int], Git],
) -> None:
    away, other = clone(1), clone(2)
    open_ledger(away).append(said(1))
    exchange.send(away, "origin")
    open_ledger(away).append(said(2))  # and is not sent
    fold.fold(other, fold.Place("origin"), before=LATER, now=LATER)
    exchange.send(away, "origin")
    exchange.receive(other, "origin")
    assert known(away) == known(other) == {str(said(n).digest) for n in (1, 2)}
    fold.fold(other, fold.Place("origin"), before=LATER, now=LATER)
    exchange.receive(away, "origin")
    assert refs.tips(away, refs.LEDGER) == {}
    open_ledger(away).append(said(3))
    exchange.send(away, "origin")
    exchange.receive(other, "origin")
    assert len(known(away) & known(other)) == 3


@pytest.mark.parametrize("branch", [None, "mlops-ledger"])
def test_shallow_and_tagless_clones_answer_the_same(
    clone: Callable[[int], Git], tmp_path: Path, branch: str | None
) -> None:
    one = clone(1)
    for n in range(4):
        open_ledger(one).append(said(n, day=n))
        exchange.send(one, "origin", branch)
    url = (tmp_path / "hub").as_uri()
    one.run("clone", "-q", "--depth=1", "--no-tags", url, str(tmp_path / "shallow"))
    shallow = Git(tmp_path / "shallow")
    exchange.tell_git(shallow, "origin", branch)
    for n in range(4, 6):
        shallow.run("fetch", "-q", "--depth=1")
        assert known(shallow) == known(one)
        open_ledger(one).append(said(n, day=n))
        exchange.send(one, "origin", branch)
    exchange.fetch_ledger(shallow, "origin", branch)
    assert known(shallow) == known(one)
    assert len(known(one)) == 6


def test_one_name_for_two_writers_loses_nothing_on_a_branch(clone: Callable[[int], Git]) -> None:
    one, two = clone(1), clone(2)
    for n, git in enumerate((one, two)):
        Ledger(git, "same", git.root / ".mlops/spool").append(said(n))
        exchange.send_ledger(git, "origin", "mlops-ledger")
    exchange.fetch_ledger(one, "origin", "mlops-ledger")
    assert len(known(one)) == 2
    names = ledger_branch.folders(one, refs.tip(one, ledger_branch.aside("origin")))
    assert len(names) == 2


def test_a_remote_that_refuses_the_refs_says_what_to_do(clone: Callable[[int], Git]) -> None:
    one = clone(1)
    Git(one.root.parent / "hub").run("config", "receive.hideRefs", "refs/mlops")
    open_ledger(one).append(said(1))
    with pytest.raises(OutsideWorld) as refused:
        exchange.send(one, "origin")
    assert refused.value.code == "refs-refused"
    assert "ledger.branch" in str(refused.value.hint)
    assert exchange.waiting(one, "origin") == 1


def test_a_result_of_elsewhere_is_confirmed_by_a_record_that_was_folded(git: Git) -> None:
    from mlops_cli.pipeline.traces.admission import Admission
    from mlops_cli.pipeline.traces.lock import Output
    from mlops_cli.pipeline.traces.runcache import Seen

    out = "sha256:" + "3" * 64
    told = {"step": "s", "step_kind": "command", "key": "k", "status": "done", "started": WHEN,
            "seconds": 1, "inputs": {}, "outputs": {"o": out}}  # fmt: skip
    one = record("run", time=WHEN, actor="Ada", **told)
    Ledger(git, "theirs", git.root / ".mlops/spool").append(one)
    fold.fold(git, fold.Place(), before=LATER, now=LATER)
    seen = Seen({"o": Output(out, "file", 1, 1)}, {}, {})
    told_by = replace(seen, record=str(one.digest), writer="theirs")
    assert Admission(git).admits("k", told_by)
    assert not Admission(git).admits("other key", told_by)
    assert not Admission(git).admits("k", replace(told_by, writer="somebody"))
    assert not Admission(git, writers=("ci-*",)).admits("k", told_by)
