"""`mlops status` and `explain`: independent answers, each with its reason and its remedy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PIPELINE = """\
version: 1
project: {name: p}
steps:
  clean:
    cmd: grep -v '#' data/days.csv > out/clean.csv
    deps: [data/days.csv]
    outs: [out/clean.csv]
  fit:
    cmd: echo ${params.rate} > out/model; cat out/clean.csv >> out/model
    deps: [out/clean.csv]
    outs: [out/model]
  report:
    cmd: cp out/model out/report
    deps: [out/model]
    outs: [out/report]
"""


@pytest.fixture
def project(repo: Path, git: Callable[..., str]) -> Path:
    (repo / "data").mkdir()
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "params.yaml").write_text("rate: 0.1\n")
    (repo / "data/days.csv").write_text("# head\n1\n2\n")
    (repo / ".gitignore").write_text("out/\n.mlops/*\n!.mlops/lock/\n")
    git("add", "-A")
    git("commit", "-qm", "begin")
    return repo


def test_after_a_run_all_is_clean(
    project: Path, mlops: Any, assert_valid: Any, golden: Any
) -> None:
    mlops("run", code=0)
    result = mlops("status", "--check", "--json", code=0)
    assert_valid(result.json)
    assert result.data["clean"] is True
    golden("status-clean.txt", mlops("status", code=0).stdout)


def test_exactly_the_stale_steps_are_named_and_why(
    project: Path, mlops: Any, assert_valid: Any, golden: Any
) -> None:
    mlops("run", code=0)
    (project / "params.yaml").write_text("rate: 0.01\n")
    result = mlops("status", "--json", code=0)
    assert_valid(result.json)
    assert result.data["clean"] is False
    assert [(row["name"], row["reason"]) for row in result.data["pipeline"]["rows"]] == [
        ("fit", "param rate 0.1 → 0.01"),
        ("report", "fit comes first and is stale"),
    ]
    assert {row["mend"] for row in result.data["pipeline"]["rows"]} == {"mlops run"}
    golden("status-stale.txt", mlops("status", "--check", code=1).stdout)


def test_what_was_seen_before_is_said_to_be_restorable(project: Path, mlops: Any) -> None:
    mlops("run", code=0)
    (project / "params.yaml").write_text("rate: 0.01\n")
    mlops("run", code=0)
    (project / "params.yaml").write_text("rate: 0.1\n")
    answer = mlops("status", "--json", code=0).data["pipeline"]
    assert {row["state"] for row in answer["rows"]} == {"restorable"}
    assert "2 can be restored without running" in answer["sentence"]


def test_the_three_answers_are_independent(project: Path, mlops: Any, git: Any) -> None:
    (project / "more.bin").write_bytes(b"1" * 10)
    mlops("run", code=0)
    mlops("add", "more.bin", code=0)
    (project / "more.bin").write_bytes(b"2" * 11)
    data = mlops("status", "--json", code=0).data
    assert data["pipeline"]["clean"] and data["storage"]["clean"]
    (row,) = data["workspace"]["rows"]
    assert (row["name"], row["state"], row["mend"]) == (
        "more.bin",
        "modified",
        "mlops add more.bin",
    )


def test_a_project_without_steps_is_no_error(repo: Path, mlops: Any) -> None:
    data = mlops("status", "--json", "--check", code=0).data
    assert data["pipeline"]["sentence"].startswith("There is no pipeline.yaml")


def test_a_missing_input_is_told_and_not_raised(project: Path, mlops: Any) -> None:
    (project / "data/days.csv").unlink()
    rows = mlops("status", "--json", code=0).data["pipeline"]["rows"]
    assert rows[0]["state"] == "blocked"
    assert rows[0]["reason"].startswith("data/days.csv does not exist")


def test_explain_prints_the_first_part_that_differs(
    project: Path, mlops: Any, assert_valid: Any, golden: Any
) -> None:
    mlops("run", code=0)
    (project / "params.yaml").write_text("rate: 0.01\n")
    result = mlops("explain", "fit", "--json", code=0)
    assert_valid(result.json)
    assert result.data["because"][0] == {
        "code": "param-changed",
        "sentence": "param rate 0.1 → 0.01",
        "name": "rate",
        "old": 0.1,
        "new": 0.01,
    }
    golden("explain-stale.txt", mlops("explain", "out/report", code=0).stdout)
    shown = mlops("explain", "fit", "--all", code=0).stdout
    golden("explain-all.txt", shown.replace(f"python 3.{sys.version_info[1]}", "python 3.x"))


def test_explain_counts_what_changed_in_a_folder(project: Path, mlops: Any, git: Any) -> None:
    text = PIPELINE.replace("deps: [data/days.csv]", "deps: [data]")
    (project / "pipeline.yaml").write_text(text)
    git("rm", "-qr", "--cached", "data")
    mlops("add", "data", code=0)
    mlops("run", code=0)
    for n in range(3):
        (project / f"data/{n}.csv").write_text("more")
    (reason,) = mlops("explain", "clean", "--json", code=0).data["because"]
    assert reason["sentence"] == "data changed: 3 files added"
    (project / "data/0.csv").unlink()
    (project / "data/days.csv").write_text("x")
    reason = mlops("explain", "clean", "--json", code=0).data["because"][0]
    assert "1 file modified (days.csv)" in reason["sentence"]


def test_explain_knows_no_step_of_that_name(project: Path, mlops: Any) -> None:
    error = mlops("explain", "fitt", "--json", code=20).error
    assert (error["code"], error["hint"]) == ("unknown-step", "did you mean 'fit'?")


def test_status_and_a_run_of_nothing_import_nothing_heavy(
    project: Path, console_script: str, environment: dict[str, str]
) -> None:
    heavy = {"rich", "git", "fsspec", "asyncio", "pyarrow", "numpy", "torch", "onnx", "pydantic"}
    heavy |= {"yaml", "duckdb", "concurrent.futures"}
    for _ in range(2):  # the first look parses pipeline.yaml, which needs yaml
        for words in (["run"], ["status"], ["explain", "fit"]):
            done = subprocess.run(
                [sys.executable, "-X", "importtime", console_script, *words],
                cwd=project,
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not names & heavy


def test_locks_of_a_conflict_are_named(project: Path, mlops: Any) -> None:
    mlops("run", code=0)
    lock = project / ".mlops/lock/fit.json"
    lock.write_text("<<<<<<< ours\n" + lock.read_text())
    error = mlops("run", "--json", code=40).error
    assert error["code"] == "malformed-lock"
    assert ".mlops/lock/fit.json" in error["message"]


def test_a_lock_says_what_the_step_saw_and_made(project: Path, mlops: Any) -> None:
    mlops("run", code=0)
    lock = json.loads((project / ".mlops/lock/fit.json").read_text())
    assert lock["schema"] == "mlops.lock/1"
    assert lock["parts"]["params"] == {"params.yaml:rate": 0.1}
    assert set(lock["outputs"]) == {"out/model"}
    assert lock["outputs"]["out/model"]["kind"] == "file"


def test_the_files_that_differ_are_named(repo: Path, mlops: Any, assert_valid: Any) -> None:
    (repo / "data/deep").mkdir(parents=True)
    for n in range(30):
        (repo / f"data/deep/{n:02}.csv").write_text(str(n))
    (repo / "tool").write_text("#!/bin/sh\n")
    mlops("add", "data", "tool", code=0)
    (repo / "data/deep/03.csv").write_text("other")
    (repo / "data/deep/04.csv").unlink()
    (repo / "data/new.csv").write_text("1")
    (repo / "tool").chmod(0o755)

    result = mlops("status", "--json", code=0)

    assert_valid(result.json)
    data, tool = result.data["workspace"]["rows"]
    assert [(one["kind"], one["path"]) for one in data["changed"]] == [
        ("modified", "deep/03.csv"),
        ("deleted", "deep/04.csv"),
        ("added", "new.csv"),
    ]
    assert (data["more"], tool["reason"]) == (False, "can be executed now")
    shown = mlops("status", code=0).stdout
    assert "~ deep/03.csv\n" in shown and "+ new.csv\n" in shown


def test_many_files_that_differ_are_named_in_part(repo: Path, mlops: Any) -> None:
    (repo / "data").mkdir()
    for n in range(30):
        (repo / f"data/{n:02}.csv").write_text(str(n))
    mlops("add", "data", code=0)
    for n in range(25):
        (repo / f"data/{n:02}.csv").unlink()

    (row,) = mlops("status", "--json", code=0).data["workspace"]["rows"]

    assert (len(row["changed"]), row["more"]) == (20, True)
    assert row["mend"] == "mlops checkout data"  # nothing is lost by it
    assert "… more; mlops diff data has all" in mlops("status", code=0).stdout
