"""The index answers from the refs that are here, however it was last left."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_cli.errors import IntegrityError, NotFound, OutsideWorld, UsageError
from mlops_cli.ledger import query, words
from mlops_cli.ledger.append import Ledger, open_ledger
from mlops_cli.ledger.catchup import catch_up
from mlops_cli.ledger.expression import parse
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.lineage import both
from mlops_cli.ledger.record import Record, record
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 2, 1, tzinfo=UTC)


def ran(n: int, **more: object) -> Record:
    fields = {
        "run": f"20130201-{n // 2:04}",
        "step": "train.delay" if n % 2 else "dataset.delay",
        "step_kind": "train",
        "key": "k",
        "status": "done",
        "started": WHEN + timedelta(seconds=n),
        "seconds": 0.5,
        "inputs": {"data": "sha256:" + "1" * 64},
        "outputs": {},
        "metrics": {"roc_auc": n / 100},
    }
    return record("run", time=WHEN + timedelta(seconds=n), actor="Ada", **{**fields, **more})


def test_new_records_are_found_and_old_ones_not_read_again(git: Git) -> None:
    ledger = open_ledger(git)
    ledger.append(*[ran(n) for n in range(6)])
    with open_index(git) as index:
        assert index.get(ran(3).digest) == ran(3)
        assert index.get("sha256:" + "0" * 64) is None
    ledger.append(ran(6))
    with open_index(git) as index:
        assert catch_up(index.database, git) == 0
        assert len(list(index.newest("run"))) == 7
    ledger.append(ran(7))
    with open_index(git) as index:
        assert [run.id for run in query.runs(index, limit=2)] == ["20130201-0003", "20130201-0002"]


def test_a_deleted_a_damaged_and_a_foreign_index_are_made_anew(git: Git) -> None:
    open_ledger(git).append(*[ran(n) for n in range(40)])
    path = git.root / ".mlops" / "index.sqlite"
    for harm in (
        lambda: path.unlink(missing_ok=True),
        lambda: path.write_bytes(b"not a database at all" * 500),
        lambda: path.write_bytes(path.read_bytes()[:5000]),
        lambda: path.write_bytes(b""),
    ):
        harm()
        with open_index(git) as index:
            assert len(list(index.newest("run"))) == 40
    import sqlite3

    connection = sqlite3.connect(path)
    connection.execute("pragma user_version = 99")
    connection.close()
    with open_index(git) as index:
        assert len(list(index.newest("run"))) == 40


def test_a_folder_that_cannot_be_written_costs_only_time(git: Git) -> None:
    open_ledger(git).append(ran(1))
    blocked = git.root / "a-file"
    blocked.write_text("x")
    with open_index(git, blocked / "index.sqlite") as index:
        assert len(list(index.newest("run"))) == 1


def test_a_ref_that_was_rewritten_or_removed_is_read_again(git: Git) -> None:
    one, two = open_ledger(git), Ledger(git, "two", git.root / ".mlops" / "spool2")
    one.append(ran(1))
    two.append(ran(2))
    with open_index(git) as index:
        assert len(list(index.newest())) == 2
    git.run("update-ref", "-d", two.ref)
    with open_index(git) as index:
        assert [r.digest for r in index.newest()] == [ran(1).digest]
    git.run("update-ref", "-d", one.ref)
    one.append(ran(3))
    with open_index(git) as index:
        assert [r.digest for r in index.newest()] == [ran(3).digest]


def test_a_record_with_wrong_bytes_is_kept_out_and_named(git: Git) -> None:
    ledger = open_ledger(git)
    ledger.append(ran(1))
    wrong = ran(2)
    refs.append(git, ledger.ref, {wrong.path: wrong.data.replace(b"done", b"fine")}, "m")
    with open_index(git) as index:
        assert list(index.damaged()) == [wrong.digest]
        assert wrong.digest in index.damaged()[wrong.digest]
        assert [r.digest for r in index.newest()] == [ran(1).digest]
        with pytest.raises(IntegrityError) as damaged:
            index.get(wrong.digest)
        assert damaged.value.code == "damaged-record"
        assert damaged.value.exit_code == 40


def test_records_of_strange_shape_stop_nothing(git: Git) -> None:
    ledger = open_ledger(git)
    strange = {"run": [], "step": {}, "status": 3, "inputs": [1], "outputs": "x", "parents": 7}
    bodies = [{"kind": kind, **strange} for kind in ("run", "register", "check", "party")]
    bodies += [{"kind": "deployment", "challengers": {}, "version": {}, "models": None}]
    ledger.append(*[Record(str(body["kind"]), body) for body in bodies], ran(1))
    with open_index(git) as index:
        assert len(list(index.newest())) == 6
        assert both(index, *index.find("sha256:")).nodes
        assert query.runs(index)


def test_bytes_that_git_lost_are_named(git: Git) -> None:
    ledger = open_ledger(git)
    ledger.append(ran(1), ran(2))
    blob = git.run("rev-parse", f"{ledger.ref}:{ran(2).path}")
    (git.git_dir / "objects" / blob[:2] / blob[2:]).unlink()
    with open_index(git) as index:
        assert list(index.damaged()) == [ran(2).digest]
        assert [r.digest for r in index.newest()] == [ran(1).digest]


def test_a_tip_that_git_lost_is_an_error_and_not_an_empty_ledger(git: Git) -> None:
    ledger = open_ledger(git)
    ledger.append(ran(1))
    tip = git.run("rev-parse", ledger.ref)
    (git.git_dir / "objects" / tip[:2] / tip[2:]).unlink()
    with pytest.raises(OutsideWorld) as lost:
        open_index(git)
    assert lost.value.code == "git-failed"


def test_two_processes_may_refresh_at_once(git: Git) -> None:
    from concurrent.futures import ThreadPoolExecutor

    open_ledger(git).append(*[ran(n) for n in range(200)])

    def ask(_: int) -> tuple[int, int]:
        with open_index(git) as index:
            edges = len(index.edges_from("sha256:" + "1" * 64))
            return len(list(index.newest("run"))), edges

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(8))) == {(200, 200)}


def test_records_are_found_by_a_beginning_of_their_digest(git: Git) -> None:
    open_ledger(git).append(*[ran(n) for n in range(300)])
    with open_index(git) as index:
        digest = ran(7).digest
        assert query.record(index, digest) == ran(7)
        assert query.record(index, digest.hex[:16]) == ran(7)
        for unknown in ("ffffffffffffffff", "ab", ""):
            with pytest.raises(NotFound):
                query.record(index, unknown)


def test_runs_gather_their_steps(git: Git) -> None:
    open_ledger(git).append(ran(0), ran(1, status="failed"), ran(2), ran(10))
    with open_index(git) as index:
        run = query.run(index, "20130201-0000")
        assert [r["step"] for r in run.records] == ["dataset.delay", "train.delay"]
        assert (run.status, run.seconds, run.metrics) == ("failed", 1.0, {"roc_auc": 0.01})
        assert query.run(index, "latest").id == "20130201-0005"
        assert query.run(index, "20130201-0005").id == "20130201-0005"
        with pytest.raises(UsageError) as ambiguous:
            query.run(index, "2013")
        assert ambiguous.value.code == "ambiguous-run"
        with pytest.raises(NotFound):
            query.run(index, "nope")


def test_search_returns_the_newest_that_fit(git: Git) -> None:
    open_ledger(git).append(*[ran(n) for n in range(60)])
    with open_index(git) as index:
        found = list(
            query.search(index, parse("metrics.roc_auc > 0.5 and step = train.delay"), limit=3)
        )
    assert [r["metrics"]["roc_auc"] for r in found] == [0.59, 0.57, 0.55]


def test_thousands_of_records_index_quickly_and_a_look_costs_milliseconds(git: Git) -> None:
    open_ledger(git).append(*[ran(n) for n in range(4000)])
    begun = time.perf_counter()
    with open_index(git) as index:
        assert len(index.run_ids()) == 2000
    built = time.perf_counter() - begun
    begun = time.perf_counter()
    with open_index(git) as index:
        assert query.run(index, "latest").id == "20130201-1999"
    assert built < 8  # measured 0.8 s alone
    assert time.perf_counter() - begun < 0.5  # measured 0.01 s


def test_an_empty_ledger_has_no_answers(git: Git, tmp_path: Path) -> None:
    with open_index(git) as index:
        assert query.runs(index) == []
        assert words.seen_as(index, "data/x") is None
        with pytest.raises(NotFound):
            query.run(index, "latest")
