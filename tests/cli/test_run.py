"""`mlops run` in a real repository: what is run, restored, recorded, committed, and refused."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PIPELINE = """\
version: 1
project: {name: p}
steps:
  clean:
    cmd: mkdir -p out && grep -v '#' data.csv > out/clean.csv && echo cleaned
    deps: [data.csv]
    outs: [out/clean.csv]
  fit:
    cmd:
      - mkdir -p out/model
      - cat out/clean.csv > out/model/weights
      - echo '{"accuracy":' ${params.accuracy} '}' > metrics.json
    deps: [out/clean.csv]
    outs: [out/model]
    metrics: [metrics.json]
  other:
    cmd: echo other > out/other
    outs: [out/other]
"""
IGNORED = "out/\n.mlops/*\n!.mlops/lock/\n"


@pytest.fixture
def project(repo: Path, git: Callable[..., str]) -> Path:
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "params.yaml").write_text("accuracy: 0.5\n")
    (repo / "data.csv").write_text("# head\n1\n2\n")
    (repo / ".gitignore").write_text(IGNORED)
    git("add", "-A")
    git("commit", "-qm", "begin")
    return repo


def did(result: Any) -> dict[str, str]:
    return {step["step"]: step["did"] for step in result.data["steps"] if step["did"]}


def records(git: Callable[..., str]) -> list[dict[str, Any]]:
    """Return the run records of the ledger, newest commit last."""
    found: list[dict[str, Any]] = []
    for ref in git("for-each-ref", "--format=%(refname)", "refs/mlops/ledger/").split():
        for path in git("ls-tree", "-r", "--name-only", ref).split():
            found.append(json.loads(git("show", f"{ref}:{path}")))  # noqa: PERF401
    return [one for one in found if one["kind"] == "run"]


def test_a_first_run_makes_all_and_a_second_nothing(
    project: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    first = mlops("run", "--json", code=0)
    assert_valid(first.json)
    assert did(first) == {"clean": "ran", "other": "ran", "fit": "ran"}
    assert (project / "out/model/weights").read_text() == "1\n2\n"
    second = mlops("run", code=0)
    assert second.stdout == "Nothing to do: 3 steps up to date.\n"
    assert git("rev-list", "--count", "HEAD").strip() == "2"


def test_a_run_is_one_commit_of_exactly_its_own_files(project: Path, mlops: Any, git: Any) -> None:
    (project / "mine.txt").write_text("staged by hand")
    git("add", "mine.txt")
    (project / "params.yaml").write_text("accuracy: 0.75\n")
    result = mlops("run", "--json", code=0)
    changed = git("show", "--name-only", "--format=", "HEAD").split()
    assert changed == [
        ".mlops/lock/clean.json",
        ".mlops/lock/fit.json",
        ".mlops/lock/other.json",
        "metrics.json",
    ]
    assert git("status", "--short") == "A  mine.txt\n M params.yaml\n"
    message = git("show", "--format=%B", "-s", "HEAD")
    assert message.startswith("run: ")
    assert f"Mlops-Run: {result.data['run']}" in message
    assert "accuracy 0.75" in message


def test_a_run_that_changes_no_lock_commits_nothing_of_anybody(
    project: Path, mlops: Any, git: Any
) -> None:
    mlops("run", code=0)
    before = git("rev-parse", "HEAD")
    (project / "mine.txt").write_text("of nobody's business")
    (project / "out/other").unlink()
    assert did(mlops("run", "--json", code=0)) == {"other": "restored"}
    assert git("rev-parse", "HEAD") == before


def test_a_failed_step_shows_its_last_words_and_keeps_what_was_done(
    project: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    mlops("run", code=0)
    text = PIPELINE.replace("mkdir -p out/model", "echo broken; cat nothing; false")
    (project / "pipeline.yaml").write_text(text.replace("echo other >", "echo another >"))
    before = (project / "out/model/weights").read_bytes()
    result = mlops("run", "-j1", "--keep-going", "--json", code=60)
    assert_valid(result.json)
    error = result.error
    assert error["code"] == "step-failed"
    assert "cat: nothing: No such file or directory" in error["message"]
    assert error["details"]["tail"][0] == "broken"
    log = (project / error["details"]["log"]).read_text()
    assert log.splitlines()[0].endswith(" broken")
    assert log.startswith("2013-03-01T00:00:00.000Z ")
    assert (project / "out/model/weights").read_bytes() == before, "the former output is back"
    assert (project / "out/other").read_text() == "another\n"
    assert "other: ran" in git("show", "--format=%B", "-s", "HEAD")
    failed = [one for one in records(git) if one["status"] == "failed"]
    assert [one["step"] for one in failed] == ["fit"]
    assert failed[0]["error"]["code"] == "step-failed"


def test_without_keep_going_nothing_starts_after_a_failure(project: Path, mlops: Any) -> None:
    (project / "pipeline.yaml").write_text(PIPELINE.replace("grep -v '#'", "false; grep"))
    result = mlops("run", "-j1", code=60)
    assert "clean failed" in result.stderr
    assert not (project / "out/other").exists()


def test_a_step_that_forgets_its_output_fails(project: Path, mlops: Any) -> None:
    (project / "pipeline.yaml").write_text(PIPELINE.replace("> out/other", "> out/othr"))
    error = mlops("run", "other", "--json", code=60).error
    assert error["code"] == "output-missing"
    assert "out/other" in error["message"]


def test_a_reverted_change_is_restored_without_running(project: Path, mlops: Any, git: Any) -> None:
    mlops("run", code=0)
    (project / "data.csv").write_text("3\n")
    assert did(mlops("run", "--json", code=0)) == {"clean": "ran", "fit": "ran"}
    (project / "data.csv").write_text("# head\n1\n2\n")
    result = mlops("run", "--json", code=0)
    assert did(result) == {"clean": "restored", "fit": "restored"}
    assert (project / "out/model/weights").read_text() == "1\n2\n"
    assert len([one for one in records(git) if one["status"] == "cached"]) == 2


def test_what_comes_out_the_same_stops_there(project: Path, mlops: Any) -> None:
    mlops("run", code=0)
    (project / "data.csv").write_text("# another head\n1\n2\n")
    assert did(mlops("run", "--json", code=0)) == {"clean": "ran", "fit": "unchanged"}
    (project / "data.csv").write_text("# a third head\n1\n2\n")
    (project / "params.yaml").write_text("accuracy: 0.9\n")
    assert did(mlops("run", "--json", code=0)) == {"clean": "ran", "fit": "ran"}


def test_every_attempt_has_a_record_with_all_that_made_it(
    project: Path, mlops: Any, git: Any
) -> None:
    mlops("run", code=0)
    found = {one["step"]: one for one in records(git)}
    fit = found["fit"]
    assert fit["status"] == "done"
    assert fit["actor"] == "Ada Lovelace <ada@example.org>"
    assert fit["params"] == {"accuracy": 0.5}
    assert fit["metrics"] == {"accuracy": 0.5}
    assert fit["inputs"]["out/clean.csv"] == found["clean"]["outputs"]["out/clean.csv"]
    assert fit["code"]["commit"] == git("rev-parse", "HEAD~1").strip()
    assert fit["environment"]["python"].startswith("3.")
    assert fit["because"] == ["it never ran"]
    assert found["clean"]["log"].startswith("sha256:")


def test_a_dry_run_says_why_and_changes_nothing(project: Path, mlops: Any, git: Any) -> None:
    result = mlops("run", "--dry-run", code=0)
    assert result.stdout.splitlines()[1].split() == ["clean", "run", "it", "never", "ran"]
    assert not (project / "out").exists()
    assert not (project / ".mlops/lock").exists()
    assert git("rev-list", "--count", "HEAD").strip() == "1"


def test_only_what_is_named_and_what_comes_before_it_runs(project: Path, mlops: Any) -> None:
    assert did(mlops("run", "fit", "--json", code=0)) == {"clean": "ran", "fit": "ran"}
    assert did(mlops("run", "out/clean.csv", "--force", "--json", code=0)) == {"clean": "ran"}


def test_no_commit_leaves_the_locks_to_the_next_run(project: Path, mlops: Any, git: Any) -> None:
    mlops("run", "--no-commit", code=0)
    assert git("rev-list", "--count", "HEAD").strip() == "1"
    result = mlops("run", code=0)
    assert "Committed what an earlier run made" in result.stdout
    assert git("status", "--short") == ""


def test_outputs_outside_of_out_are_kept_out_of_git(project: Path, mlops: Any, git: Any) -> None:
    text = PIPELINE.replace("out/other", "made/other").replace(
        "echo other", "mkdir -p made && echo"
    )
    (project / "pipeline.yaml").write_text(text)
    mlops("run", code=0)
    assert "/other" in (project / "made/.gitignore").read_text()
    assert git("status", "--short") == " M pipeline.yaml\n"


def test_bytes_that_a_hand_changed_are_in_the_cache_before_they_go(
    project: Path, mlops: Any, git: Any
) -> None:
    mlops("run", code=0)
    (project / "out/other").write_text("by hand")
    (project / "pipeline.yaml").write_text(PIPELINE.replace("echo other", "echo new"))
    result = mlops("run", code=0)
    assert "out/other was changed by hand; the cache keeps it as sha256:" in result.stderr
    kept = [one["facts"]["kept"] for one in records(git) if "kept" in one["facts"]]
    digest = kept[0]["out/other"].removeprefix("sha256:")
    assert (project / ".mlops/cache/objects" / digest[:2] / digest[2:]).read_text() == "by hand"


def test_no_identity_is_refused_before_anything_runs(
    project: Path, mlops: Any, git: Any, environment: dict[str, str]
) -> None:
    git("config", "--unset", "user.name")
    git("config", "--unset", "user.email")
    error = mlops("run", "--json", code=30).error
    assert error["code"] == "no-identity"
    assert "git config" in error["hint"]
    assert not (project / "out").exists()


def test_a_detached_head_gets_the_commit(project: Path, mlops: Any, git: Any) -> None:
    git("checkout", "-q", "--detach")
    mlops("run", code=0)
    assert git("rev-list", "--count", "HEAD").strip() == "2"
    assert git("rev-list", "--count", "main").strip() == "1"


def test_outside_of_git_is_refused(mlops: Any, tmp_path: Path) -> None:
    assert mlops("run", "--json", cwd=tmp_path, code=30).error["code"] == "not-a-git-repository"


def test_a_missing_input_names_step_file_and_place(project: Path, mlops: Any) -> None:
    (project / "data.csv").unlink()
    error = mlops("run", "--json", code=20).error
    assert error["code"] == "missing-input"
    assert error["message"].startswith("pipeline.yaml:6:12: step clean needs data.csv")
    assert not (project / "out").exists()


def test_a_bad_pipeline_is_told_with_its_place(project: Path, mlops: Any) -> None:
    (project / "pipeline.yaml").write_text(PIPELINE.replace("deps:", "dependencies:", 1))
    error = mlops("run", "--json", code=10).error
    assert error["code"] == "unknown-key"
    assert error["details"]["line"] == 6


def test_two_runs_at_the_same_time_share_the_work(
    project: Path, console_script: str, environment: dict[str, str], git: Any
) -> None:
    """Each step runs once; whoever comes second waits for it and takes what it made."""
    slow = "echo x >> count; while [ ! -e both ]; do sleep 0.02; done; echo other > out/other"
    (project / "pipeline.yaml").write_text(PIPELINE.replace("echo other > out/other", slow))
    runs = [
        subprocess.Popen(
            [console_script, "run", "-j4", "--json"],
            cwd=project,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = ""
    with selectors.DefaultSelector() as selector:
        for run in runs:
            assert run.stderr is not None
            os.set_blocking(run.stderr.fileno(), False)
            selector.register(run.stderr, selectors.EVENT_READ)
        while "other waits for another mlops run." not in said:
            for key, _ in selector.select(30):
                said += os.read(key.fd, 1 << 16).decode()
    (project / "both").touch()
    results = [json.loads(run.communicate()[0]) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], results
    assert (project / "count").read_text() == "x\n"
    became = sorted(
        step["did"] or "fresh"
        for one in results
        for step in one["data"]["steps"]
        if step["step"] == "other"
    )
    assert became == ["ran", "shared"]
    assert len(records(git)) == 3
    assert git("status", "--short", "--", ".mlops", "metrics.json") == ""


def test_declared_variables_are_part_of_the_key_and_never_shown(project: Path, mlops: Any) -> None:
    text = PIPELINE.replace(
        "    outs: [out/other]", "    outs: [out/other]\n    variables: [REGION]"
    )
    (project / "pipeline.yaml").write_text(text)
    mlops("run", "other", env={"REGION": "north"}, code=0)
    assert mlops("run", "other", env={"REGION": "north"}, code=0).stdout.startswith("Nothing")
    result = mlops("run", "other", "--dry-run", env={"REGION": "south"}, code=0)
    assert "the environment variable REGION changed" in result.stdout
    assert "north" not in (project / ".mlops/lock/other.json").read_text()


def test_a_step_that_takes_too_long_is_ended(project: Path, mlops: Any) -> None:
    text = PIPELINE.replace("cmd: echo other > out/other", "cmd: sleep 30\n    timeout: 0.2s")
    (project / "pipeline.yaml").write_text(text)
    assert mlops("run", "other", "--json", code=60).error["code"] == "step-timed-out"


def test_steps_run_at_the_same_time(project: Path, mlops: Any) -> None:
    """Two steps that wait for each other end only when both run."""
    wait = "while [ ! -e {other} ]; do sleep 0.02; done"
    text = "version: 1\nproject: {name: p}\nsteps:\n"
    for one, other in (("a", "b"), ("b", "a")):
        text += f"  {one}:\n    cmd: touch {one}; {wait.format(other=other)}; echo > out/{one}\n"
        text += f"    outs: [out/{one}]\n    timeout: 20s\n"
    (project / "pipeline.yaml").write_text(text)
    mlops("run", "-j2", code=0)


def test_data_that_is_tracked_but_not_here_is_told(project: Path, mlops: Any) -> None:
    pointer = {
        "schema": "mlops.pointer/1",
        "path": "data.csv",
        "digest": "sha256:" + "0" * 64,
        "kind": "file",
        "size": 1,
        "files": 1,
    }
    (project / "data.csv").unlink()
    (project / "data.csv.mlops").write_text(json.dumps(pointer))
    error = mlops("run", "clean", "--json", code=20).error
    assert error["code"] == "data-not-here"
    assert "mlops pull" in error["hint"]


def test_train_is_run_narrowed(project: Path, mlops: Any) -> None:
    assert mlops("train", "--json", code=20).error["code"] == "unknown-training"


def test_an_unknown_param_names_the_step_that_asks(project: Path, mlops: Any) -> None:
    (project / "params.yaml").write_text("accurracy: 0.5\n")
    error = mlops("run", "--json", code=10).error
    assert error["message"].startswith("pipeline.yaml:8:3: step fit: params.yaml has no 'accuracy'")
    assert error["hint"] == "did you mean 'accurracy'?"
    (project / "params.yaml").unlink()
    error = mlops("run", "--json", code=20).error
    assert error["message"].startswith("pipeline.yaml:8:3: step fit: there is no params.yaml")
    (project / "params.yaml").write_text("a: [\n")
    assert mlops("run", "--json", code=10).error["message"].startswith("params.yaml:2:1: not valid")
