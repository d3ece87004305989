"""`mlops runs`: every attempt is found again, with what it saw and made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.record import Code, Record, record
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

WHEN = datetime(2013, 2, 1, tzinfo=UTC)
NOTE = {"to": "data", "about": "", "text": "the station moved"}


def ran(n: int, **more: Any) -> Record:
    fields: dict[str, Any] = {
        "run": f"20130201T{n // 2:06}-aaa",
        "code": Code("c" * 40),
        "step": "train.delay" if n % 2 else "dataset.delay",
        "step_kind": "train" if n % 2 else "dataset",
        "key": "sha256:" + "2" * 64,
        "status": "done",
        "started": WHEN + timedelta(minutes=n),
        "seconds": 61.5,
        "inputs": {"data/flights": "sha256:" + "1" * 64},
        "outputs": {"out/delay": "sha256:" + "3" * 64},
        "params": {"lr": 0.1},
        "metrics": {"roc_auc": n / 10},
        "error": None,
    }
    return record("run", time=WHEN + timedelta(minutes=n), actor="Ada", **{**fields, **more})


@pytest.fixture
def ledger(repo: Path, git: Callable[..., str]) -> Any:
    git("commit", "-q", "--allow-empty", "-m", "first")
    made = open_ledger(Git(repo))
    failed = {"status": "failed", "error": {"code": "step-failed", "message": "it broke"}}
    made.append(*[ran(n) for n in range(6)], ran(7, **failed))
    return made


def test_list_shows_runs_newest_first(mlops: Any, assert_valid: Any, ledger: Any) -> None:
    result = mlops("runs", "list", "--json", code=0)
    assert_valid(result.json)
    assert [run["status"] for run in result.data["runs"]] == ["failed", "done", "done", "done"]
    assert result.data["total"] == 4
    screen = mlops("runs", "list", "-n", "2", code=0).stdout
    assert screen.splitlines()[1].startswith("20130201T000003-aaa  2013-02-01 00:07  failed")
    assert "2 older runs not shown" in screen
    assert max(len(line) for line in screen.splitlines()) <= 80


def test_show_has_all_that_was_recorded_of_each_step(
    mlops: Any, assert_valid: Any, ledger: Any
) -> None:
    result = mlops("runs", "show", "20130201T000002", "--json", code=0)
    assert_valid(result.json)
    steps = result.data["steps"]
    assert [step["step"] for step in steps] == ["dataset.delay", "train.delay"]
    for step in steps:
        for name in ("started", "seconds", "params", "inputs", "outputs", "metrics", "record"):
            assert step[name] is not None
    screen = mlops("runs", "show", "latest", code=0).stdout
    assert "it broke" in screen
    assert "1 min 02 s" in screen
    assert "params: lr 0.1" in screen


def test_show_takes_the_digest_of_any_record(mlops: Any, assert_valid: Any, ledger: Any) -> None:
    one = ran(1)
    result = mlops("runs", "show", one.digest.hex[:12], "--json", code=0)
    assert_valid(result.json)
    assert result.data["record"] == {"record": one.digest, **one.body}
    assert [step["record"] for step in result.data["steps"]] == [one.digest]
    claim = record("feedback", time=WHEN, actor="Ada", **NOTE, words="sound")
    ledger.append(claim)
    result = mlops("runs", "show", claim.digest, "--json", code=0)
    assert_valid(result.json)
    assert result.data["run"] is None
    assert '"words": "sound"' in mlops("runs", "show", claim.digest, code=0).stdout


def test_search_finds_by_a_condition(mlops: Any, assert_valid: Any, ledger: Any) -> None:
    result = mlops(
        "runs", "search", "metrics.roc_auc > 0.2 and step = train.delay", "--json", code=0
    )
    assert_valid(result.json)
    assert [r["metrics"]["roc_auc"] for r in result.data["records"]] == [0.7, 0.5, 0.3]
    assert "0.5" in mlops("runs", "search", "status = done", "-n", "1", code=0).stdout
    assert mlops("runs", "search", "status = lost", code=0).stdout.startswith("No record")


@pytest.mark.parametrize(
    ("condition", "kind", "told"),
    [
        ("roc_auc > 0.7", "run", "did you mean metrics.roc_auc?"),
        ("params.train.lr < 1 and step = x", "run", "has params.train.lr; did you mean params.lr?"),
        ("stat = done", "run", "did you mean status?"),
        ("time > 2012", "run", "time is text: put 2012 in quotes"),
        ("model = delay", "check", "there are no records of kind check yet"),
    ],
)
def test_a_field_that_no_record_has_is_told_with_the_one_that_was_meant(
    mlops: Any, ledger: Any, condition: str, kind: str, told: str
) -> None:
    found = mlops("runs", "search", condition, "--kind", kind, "--json", code=0)
    assert found.data["records"] == [] and told in found.json["warnings"][0]
    quiet = mlops("runs", "search", "metrics.roc_auc > 3", "--json", code=0)
    assert quiet.json["warnings"] == []


def test_what_a_record_of_another_kind_says_stands_in_a_line(mlops: Any, ledger: Any) -> None:
    note = {**NOTE, "text": "moved \x1b[31m"}
    ledger.append(record("feedback", time=WHEN, actor="Ada", **note))
    screen = mlops("runs", "search", "to = data", "--kind", "feedback", code=0).stdout
    assert "to data, text moved" in screen and "\x1b" not in screen


def test_bad_conditions_and_unknown_runs_are_one_clear_error(
    mlops: Any, assert_valid: Any, ledger: Any
) -> None:
    for words, exit_code, code in (
        (("search", "metrics.roc_auc >"), 2, "bad-expression"),
        (("search", "a = 1", "--kind", "party"), 2, "unknown-kind"),
        (("show", "nope"), 20, "unknown-run"),
        (("show", "2013"), 2, "ambiguous-run"),
    ):
        result = mlops("runs", *words, "--json", code=exit_code)
        assert_valid(result.json)
        assert result.error["code"] == code


def test_an_empty_ledger_says_how_to_begin(mlops: Any, repo: Path) -> None:
    assert "mlops run" in mlops("runs", "list", code=0).stdout
    assert mlops("runs", "show", "--json", code=20).error["code"] == "unknown-run"


def test_outside_of_git_is_refused(mlops: Any, tmp_path: Path) -> None:
    assert mlops("runs", "list", "--json", cwd=tmp_path, code=30).error["hint"]


def test_a_record_with_wrong_bytes_is_named_and_refused(
    mlops: Any, repo: Path, assert_valid: Any, ledger: Any
) -> None:
    wrong = ran(9)
    refs.append(Git(repo), ledger.ref, {wrong.path: wrong.data.replace(b"0.9", b"0.99")}, "m")
    listed = mlops("runs", "list", "--json", code=0)
    assert_valid(listed.json)
    assert wrong.digest in listed.json["warnings"][0]
    assert mlops("runs", "show", wrong.digest, "--json", code=40).error["code"] == "damaged-record"
