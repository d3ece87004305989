"""`mlops tick` in a real repository: what is run, once, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PIPELINE = """\
version: 1
project: {name: p}
data:
  days: {path: data/days.csv}
steps:
  note:
    cmd: echo $MLOPS_TRIGGER $MLOPS_WINDOW >> noted
    always: true
  use:
    cmd: mkdir -p out && cat data/days.csv > out/used
    deps: [data/days.csv]
    outs: [out/used]
  risky:
    cmd: echo tried >> noted; test -e allowed
    always: true
  slow:
    cmd: echo started >> noted; sleep 60
    always: true
  score:
    cmd: mkdir -p out; echo x >> tries; echo "{\\"auc\\":" 0.$(wc -l < tries) "}" > out/score.json
    outs: [out/score.json]
    metrics: [out/score.json]
triggers:
"""
NIGHTLY = '  nightly: {cron: "0 3 * * *", run: note}\n'
REAL = {"MLOPS_NOW": ""}  # results are told apart by their time
EARLY, LATE = "2013-03-01T12:00:00Z", "2013-03-02T12:00:00Z"


@pytest.fixture
def project(repo: Path, git: Callable[..., str]) -> Callable[[str], Path]:
    """project(triggers): a project with these triggers, committed on 1 January 2013."""

    def make(triggers: str) -> Path:
        (repo / "pipeline.yaml").write_text(PIPELINE + triggers)
        (repo / "data").mkdir(exist_ok=True)
        (repo / "data/days.csv").write_text("a\n1\n2\n")
        (repo / ".gitignore").write_text("out/\nnoted\ntries\n.mlops/*\n!.mlops/lock/\n")
        git("add", "-A")
        git("commit", "-qm", "begin")
        return repo

    return make


def noted(root: Path) -> list[str]:
    path = root / "noted"
    return path.read_text().splitlines() if path.exists() else []


def claims(git: Any) -> list[str]:
    return git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/mlops/claims").split()


def test_what_is_due_is_told_with_reasons_and_nothing_is_run(
    project: Any, mlops: Any, assert_valid: Any, git: Any
) -> None:
    root = project(NIGHTLY)
    told = mlops("tick", "--dry-run", "--json", code=0)
    assert_valid(told.json)
    (window,) = told.data["windows"]
    assert window["window"] == "20130228T030000Z" and window["now"]
    assert "came round at 2013-02-28 03:00" in window["because"][0]
    assert mlops("tick", "--check").code == 0
    assert noted(root) == [] and claims(git) == []
    earlier = mlops("tick", "--check", "--at", "2013-01-01T02:00:00Z")
    assert earlier.code == 1 and "Nothing is due." in earlier.stdout


def test_what_is_due_is_run_once_and_recorded(
    project: Any, mlops: Any, assert_valid: Any, git: Any
) -> None:
    root = project(NIGHTLY)
    ran = mlops("tick", "--json", env={"MLOPS_NOW": EARLY}, code=0)
    assert_valid(ran.json)
    assert [one["outcome"] for one in ran.data["ran"]] == ["done"]
    assert noted(root) == ["nightly 20130301T030000Z"]
    assert mlops("tick", "--json", env={"MLOPS_NOW": EARLY}, code=0).data["ran"] == []
    assert noted(root) == ["nightly 20130301T030000Z"]
    assert claims(git) == ["nightly/20130301T030000Z"], "the slot is free again"

    found = mlops("runs", "search", "trigger = nightly", "--kind", "claim", "--json").data
    told = {one["outcome"]: one for one in found["records"]}
    assert set(told) == {"claimed", "done"}
    assert told["done"]["parents"] == [told["claimed"]["record"]]
    run = mlops("runs", "show", told["done"]["caused"], "--json").data
    step = mlops("runs", "show", run["steps"][0]["record"], "--json").data["record"]
    assert step["parents"] == [told["claimed"]["record"]]


def test_a_replay_lists_what_comes_due_and_changes_nothing(
    project: Any, mlops: Any, assert_valid: Any
) -> None:
    project(NIGHTLY + '  weekly: {cron: "0 5 * * SUN", run: use, timezone: Europe/Berlin}\n')
    words = ("tick", "--dry-run", "--at", "2013-01-01T00:00:00Z", "--to", "2013-12-31T23:59:00Z")
    once = mlops(*words, "--json", code=0)
    assert_valid(once.json)
    names = [one["trigger"] for one in once.data["windows"]]
    assert (names.count("nightly"), names.count("weekly")) == (365, 52)
    assert mlops(*words, "--json", code=0).stdout == once.stdout


def test_new_data_is_due_until_a_run_has_used_it(project: Any, mlops: Any) -> None:
    root = project("  fresh: {on: new_data, of: data.days, min_rows: 2, run: use}\n")
    mlops("run", "use", code=0)
    assert mlops("tick", "--check").code == 1
    (root / "data/days.csv").write_text("a\n1\n2\n3\n4\n5\n")
    assert "changed" in mlops("tick", "--check", code=0).stdout
    assert [one["trigger"] for one in mlops("tick", "--json", code=0).data["ran"]] == ["fresh"]
    assert (root / "out/used").read_text().count("\n") == 6
    assert mlops("tick", "--check").code == 1
    (root / "data/days.csv").write_text("a\n1\n2\n3\n4\n5\n6\n")
    held = mlops("tick", "--check")
    assert held.code == 1 and "1 new rows of 2" in held.stdout


def test_a_push_is_due_and_the_commits_of_runs_are_none(project: Any, mlops: Any, git: Any) -> None:
    root = project("  pushed: {on: push, branch: main, run: use}\n")
    mlops("run", "use", code=0)
    assert git("log", "-1", "--format=%s").strip() == "run: use"
    assert mlops("tick", "--check").code == 1
    (root / "README").write_text("new")
    git("add", "README")
    git("commit", "-qm", "mine")
    assert len(mlops("tick", "--json", code=0).data["ran"]) == 1
    assert mlops("tick", "--check").code == 1


def test_a_goal_is_tried_for_until_it_is_met(project: Any, mlops: Any) -> None:
    root = project("  better: {until: {metric: auc, at_least: 0.4, tries: 9}, run: score}\n")
    assert "no run has told auc yet" in mlops("tick", "--check", env=REAL).stdout
    mlops("run", "score", env=REAL, code=0)
    ran = mlops("tick", "--json", env=REAL, code=0).data["ran"]
    assert [one["because"][0][:8] for one in ran] == ["try 1 of", "try 2 of", "try 3 of"]
    assert (root / "tries").read_text() == "x\n" * 4
    assert mlops("tick", "--json", env=REAL, code=0).data["ran"] == []


def test_a_goal_that_is_not_met_ends_with_its_tries(project: Any, mlops: Any) -> None:
    project("  better: {until: {metric: auc, at_least: 5, tries: 2}, run: score}\n")
    mlops("run", "score", env=REAL, code=0)
    assert len(mlops("tick", "--json", env=REAL, code=0).data["ran"]) == 2
    assert "tried 2 times, and still auc is 0.3" in mlops("tick", "--check", env=REAL).stdout


def test_what_fails_is_told_recorded_and_tried_again_as_often_as_it_says(
    project: Any, mlops: Any
) -> None:
    root = project(NIGHTLY + '  risk: {cron: "0 3 * * *", run: risky, retries: 1}\n')
    failed = mlops("tick", "--json", code=60)
    assert failed.error["code"] == "step-failed"
    assert [one["outcome"] for one in failed.error["details"]["windows"]] == ["done", "failed"]
    (root / "allowed").touch()
    again = mlops("tick", "--json", code=0).data["ran"]
    assert [one["outcome"] for one in again] == ["done"]
    assert noted(root)[1:] == ["tried", "tried"]
    assert mlops("tick", "--json", code=0).data["ran"] == []


def test_a_budget_of_runs_holds_and_says_so(project: Any, mlops: Any) -> None:
    project(NIGHTLY + "limits: {budget: {runs: 1, per: 7d}}\n")
    assert len(mlops("tick", "--json", env={"MLOPS_NOW": EARLY}, code=0).data["ran"]) == 1
    held = mlops("tick", env={"MLOPS_NOW": LATE}, code=0)
    assert "but the budget of 1 runs per 7d is spent" in held.stdout
    later = {"MLOPS_NOW": "2013-03-09T12:00:00Z"}
    assert len(mlops("tick", "--json", env=later, code=0).data["ran"]) == 1


def test_a_clock_that_is_behind_is_refused_before_anything_runs(project: Any, mlops: Any) -> None:
    root = project(NIGHTLY)
    mlops("tick", env={"MLOPS_NOW": LATE}, code=0)
    refused = mlops("tick", "--json", env={"MLOPS_NOW": EARLY}, code=30)
    assert refused.error["code"] == "wrong-clock"
    assert "2013-03-02" in refused.error["message"] and "2013-03-01" in refused.error["message"]
    assert "--trust-clock" in refused.error["hint"]
    assert len(noted(root)) == 1
    mlops("tick", "--trust-clock", env={"MLOPS_NOW": EARLY}, code=0)
    told = mlops("tick", "--dry-run", env={"MLOPS_NOW": EARLY}, code=0)
    assert "one of the two clocks is wrong" in told.stderr


def test_what_a_killed_machine_claimed_is_taken_over_when_its_lease_has_run_out(
    project: Any, mlops: Any, environment: dict[str, str], console_script: str
) -> None:
    root = project('  night: {cron: "0 3 * * *", run: slow, lease: 10m}\n')
    dying = started(root, console_script, {**environment, "MLOPS_NOW": EARLY})
    os.killpg(dying.pid, signal.SIGKILL)
    dying.wait()
    text = (root / "pipeline.yaml").read_text().replace("; sleep 60", "")
    (root / "pipeline.yaml").write_text(text)

    alive = mlops("tick", "--dry-run", env={"MLOPS_NOW": "2013-03-01T12:05:00Z"}, code=0)
    assert "runs 20130301T030000Z since 2013-03-01 12:00" in alive.stdout
    first = mlops("tick", env={"MLOPS_NOW": "2013-03-01T12:11:00Z"}, code=0)
    assert "watches first whether the claim is renewed" in first.stdout
    assert noted(root) == ["started"]
    taken = mlops("tick", "--json", env={"MLOPS_NOW": "2013-03-01T12:15:00Z"}, code=0)
    (ran,) = taken.data["ran"]
    assert ran["window"] == "20130301T030000Z" and "last heard of" in ran["because"][-1]
    assert noted(root) == ["started", "started"]


def test_a_window_that_a_person_ended_is_due_again(
    project: Any, mlops: Any, environment: dict[str, str], console_script: str, git: Any
) -> None:
    root = project('  night: {cron: "0 3 * * *", run: slow}\n')
    ended = started(root, console_script, environment)
    ended.send_signal(signal.SIGINT)
    assert ended.wait(timeout=30) == 130
    assert claims(git) == []
    assert mlops("tick", "--check").code == 0
    found = mlops("runs", "search", "trigger = night", "--kind", "claim", "--json").data
    assert {one["outcome"] for one in found["records"]} == {"claimed", "released"}


def test_a_run_whose_claim_was_taken_over_ends(
    project: Any, environment: dict[str, str], console_script: str, git: Any
) -> None:
    root = project('  night: {cron: "0 3 * * *", run: slow, lease: 1s}\n')
    working = started(root, console_script, environment)
    git("update-ref", "-d", "refs/mlops/claims/night/20130228T030000Z")
    working.wait(timeout=30)
    error = json.loads((root.parent / "said").read_text())["error"]
    assert (working.returncode, error["code"]) == (30, "claim-lost")
    assert "another machine took it over" in error["message"]


def test_a_claim_is_renewed_while_its_run_goes_on(
    project: Any, environment: dict[str, str], console_script: str, git: Any
) -> None:
    root = project('  night: {cron: "0 3 * * *", run: slow, lease: 1s}\n')
    del environment["MLOPS_NOW"]
    working = started(root, console_script, environment)
    ref = "refs/mlops/claims/night/*"
    former = first = git("for-each-ref", "--format=%(contents:body)", ref)
    deadline = time.monotonic() + 20
    while former == first and time.monotonic() < deadline:
        former = git("for-each-ref", "--format=%(contents:body)", ref)
    working.send_signal(signal.SIGINT)
    working.wait(timeout=30)
    one, two = json.loads(first), json.loads(former)
    assert two["expires"] > one["expires"] and two["claimed"] == one["claimed"]


def test_another_clone_sees_through_the_remote_what_was_run(
    project: Any, mlops: Any, git: Any, tmp_path: Path
) -> None:
    root = project(NIGHTLY)
    bare = tmp_path / "bare"
    git("clone", "-q", "--bare", str(root), str(bare))
    git("remote", "add", "origin", str(bare))
    other = Path(shutil.copytree(root, tmp_path / "other"))
    assert len(mlops("tick", "--json", code=0).data["ran"]) == 1
    told = mlops("tick", "--json", cwd=other, code=0).data
    assert told["ran"] == [] and "was run at" in told["quiet"][0]["because"]
    ledger = mlops("runs", "search", "outcome = done", "--kind", "claim", "--json", cwd=other)
    assert len(ledger.data["records"]) == 1, "the record came with the claim"
    bare.rename(tmp_path / "gone")
    refused = mlops("tick", "--json", cwd=other, code=50)
    assert refused.error["code"] == "git-failed"
    told = mlops("tick", "--dry-run", cwd=other, code=0)
    assert "as last seen" in told.stderr


def test_a_window_whose_end_could_not_be_told_is_not_run_again_here(
    project: Any, mlops: Any, git: Any, tmp_path: Path
) -> None:
    root = project('  away: {cron: "0 3 * * *", run: away}\n')
    text = (root / "pipeline.yaml").read_text()
    away = '  away: {cmd: "echo away >> noted; mv ../bare ../gone", always: true}\ntriggers:'
    (root / "pipeline.yaml").write_text(text.replace("triggers:", away))
    git("commit", "-qam", "away")
    git("clone", "-q", "--bare", str(root), str(tmp_path / "bare"))
    git("remote", "add", "origin", str(tmp_path / "bare"))
    assert mlops("tick", "--json", code=50).error["code"] == "git-failed"
    (tmp_path / "gone").rename(tmp_path / "bare")
    later = {"MLOPS_NOW": "2013-03-01T02:00:00Z"}
    assert mlops("tick", "--json", env=later, code=0).data["ran"] == []
    assert mlops("tick", "--json", env=later, code=0).data["windows"] == []
    assert noted(root) == ["away"]


def test_pull_brings_the_branch_forward_or_says_why_not(
    project: Any, mlops: Any, git: Any, tmp_path: Path
) -> None:
    root = project("")
    bare = tmp_path / "bare"
    git("clone", "-q", "--bare", str(root), str(bare))
    other = tmp_path / "other"
    git("clone", "-q", str(bare), str(other))
    git("config", "user.name", "A", cwd=other)
    git("config", "user.email", "a@b.c", cwd=other)
    git("remote", "add", "origin", str(bare))
    (root / "pipeline.yaml").write_text(PIPELINE + NIGHTLY)
    git("commit", "-qam", "nightly")
    git("push", "-q", "origin", "main")
    assert len(mlops("tick", "--pull", "--json", cwd=other, code=0).data["ran"]) == 1
    git("commit", "-q", "--allow-empty", "-m", "theirs")
    git("push", "-q", "origin", "main")
    git("commit", "-q", "--allow-empty", "-m", "here", cwd=other)
    refused = mlops("tick", "--pull", "--json", cwd=other, code=30)
    assert refused.error["code"] == "cannot-pull"


def test_words_that_do_not_go_together_are_refused(project: Any, mlops: Any) -> None:
    project(NIGHTLY)
    assert mlops("tick", "--at", EARLY, "--json", code=2).error["code"] == "bad-combination"
    backwards = ("tick", "--dry-run", "--at", LATE, "--to", EARLY, "--json")
    assert mlops(*backwards, code=2).error["code"] == "bad-value"
    assert "has no triggers" in mlops("tick", code=0, cwd=project("  {}\n")).stdout


def started(root: Path, script: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a tick of its own process group, and return when its step runs."""
    with (root.parent / "said").open("w") as said:
        process = subprocess.Popen(
            [script, "tick", "--json"],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    deadline = time.monotonic() + 60
    while not noted(root) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    return process
