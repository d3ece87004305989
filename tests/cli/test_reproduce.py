"""`mlops reproduce`: the same from a commit alone, or where and why not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.store.cache import open_cache
from mlops_cli.store.digest import Digest

PIPELINE = """\
version: 1
project: {name: small}
steps:
  clean:
    cmd: sort data/raw.txt > out/clean.txt
    deps: [data/raw.txt]
    outs: [out/clean.txt]
  fit:
    cmd: python src/fit.py ${params.fit.scale}
    deps: [out/clean.txt, src/fit.py]
    params: [params.yaml:fit]
    outs: [out/model.json, out/metrics.json]
    metrics: [out/metrics.json]
"""
FIT = """\
import json, pathlib, sys

rows = pathlib.Path("out/clean.txt").read_text().split()
total = sum(map(float, rows)) * float(sys.argv[1])
pathlib.Path("out/model.json").write_text(json.dumps({"total": total}))
pathlib.Path("out/metrics.json").write_text(json.dumps({"total": total}))
"""
CHANCE = "\nimport os; pathlib.Path('out/model.json').write_text(os.urandom(9).hex())\n"


@pytest.fixture
def made(repo: Path, git: Callable[..., str], mlops: Any) -> Path:
    """A pipeline of two commands over tracked data, run and committed."""
    for folder in ("data", "src"):
        (repo / folder).mkdir()
    (repo / "data/raw.txt").write_text("3\n1\n2\n")
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "params.yaml").write_text("fit: {scale: 2}\n")
    (repo / "src/fit.py").write_text(FIT)
    (repo / ".gitignore").write_text("/out/\n/.mlops/*\n!/.mlops/lock/\n!/.mlops/config.yaml\n")
    mlops("add", "data/raw.txt", code=0)
    git("add", "-A")
    git("commit", "-qm", "a project")
    mlops("run", code=0)
    return repo


def commit(git: Callable[..., str], path: Path, text: str) -> None:
    path.write_text(text)
    git("commit", "-qam", "an edit")


def test_a_clone_without_cache_reproduces_from_the_remote(
    made: Path, mlops: Any, git: Any, tmp_path: Path, assert_valid: Any
) -> None:
    mlops("remote", "add", "origin", str(tmp_path / "remote"), code=0)
    git("add", "-A")
    git("commit", "-qm", "a remote")
    mlops("push", code=0)
    git("clone", "-q", str(made), str(tmp_path / "clone"))
    result = mlops("reproduce", "--verify", "--json", cwd=tmp_path / "clone", code=0)
    assert_valid(result.json)
    assert result.data["verdict"] == "identical"
    assert [step["step"] for step in result.data["steps"]] == ["clean", "fit"]
    assert not (tmp_path / "clone/out").exists(), "the work tree is as it was"
    assert not (tmp_path / "clone/.mlops/cache/runs").exists(), "nothing is remembered of it"
    assert git("status", "--short", cwd=tmp_path / "clone") == ""
    screen = mlops("reproduce", cwd=tmp_path / "clone", code=0).stdout
    assert screen.startswith("identical: 2 steps of 2 as recorded, at commit ")


def test_a_run_is_reproduced_whatever_stands_in_the_work_tree_now(
    made: Path, mlops: Any, git: Any
) -> None:
    run = mlops("runs", "list", "--json", code=0).data["runs"][0]["id"]
    commit(git, made / "params.yaml", "fit: {scale: 5}\n")
    (made / "src/fit.py").write_text("broken")
    told = mlops("reproduce", run, "--json", code=0).data
    assert (told["verdict"], told["run"]) == ("identical", run)
    assert mlops("runs", "list", "--json").data["total"] == 1, "no record of it"


def test_an_edited_param_is_named_with_its_step(
    made: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    commit(git, made / "params.yaml", "fit: {scale: 3}\n")
    result = mlops("reproduce", "--json", code=1)
    assert_valid(result.json)
    assert (result.data["verdict"], result.data["first"]) == ("differs", "fit")
    assert [(one["part"], one["name"]) for one in result.data["because"]] == [
        ("params", "fit.scale")
    ]
    assert (
        mlops("reproduce", "-s", "out/clean.txt", "--json", code=0).data["verdict"] == "identical"
    )
    assert result.data["steps"][1]["metrics"] == {"total": {"recorded": 12.0, "made": 18.0}}
    assert "fit differs first\n  because param fit.scale 2 → 3" in mlops("reproduce").stdout


def test_what_follows_from_a_difference_is_told_apart_from_it(
    made: Path, mlops: Any, git: Any
) -> None:
    commit(git, made / "pipeline.yaml", PIPELINE.replace("sort data", "head -n 2 data"))
    told = mlops("reproduce", "--json", code=1).data
    clean, fit = told["steps"]
    assert told["first"] == "clean"
    assert [one["part"] for one in clean["because"]] == ["code"]
    assert [one["sentence"] for one in fit["because"]] == ["clean, which comes first, differs"]


def test_a_step_that_is_not_deterministic_is_told_and_may_say_so(
    made: Path, mlops: Any, git: Any
) -> None:
    commit(git, made / "src/fit.py", FIT + CHANCE)
    mlops("run", code=0)
    told = mlops("reproduce", "--json", code=1).data
    assert [one["part"] for one in told["because"]] == ["determinism"]
    tolerant = "    determinism: tolerant\n    tolerance: {total: 0.5}\n"
    commit(git, made / "pipeline.yaml", PIPELINE + tolerant)
    told = mlops("reproduce", "--json", code=0).data
    assert told["verdict"] == "within tolerance"
    assert told["first"] is None
    assert mlops("reproduce", "--verify", "--json").code == 1
    commit(git, made / "params.yaml", "fit: {scale: 3}\n")
    assert mlops("reproduce", "--json").data["verdict"] == "differs", "6 is more than 0.5"


def test_a_step_that_fails_now_is_an_answer(made: Path, mlops: Any, git: Any) -> None:
    commit(git, made / "src/fit.py", "raise SystemExit(3)")
    told = mlops("reproduce", "--json", code=1).data
    assert told["first"] == "fit"
    assert "exit status 3" in told["steps"][1]["error"]


def test_what_a_run_saw_and_nobody_committed_is_kept_and_where_it_is_not_said(
    made: Path, mlops: Any, git: Any
) -> None:
    (made / "params.yaml").write_text("fit: {scale: 7}\n")
    mlops("run", env={"MLOPS_NOW": "2013-03-02T00:00:00Z"}, code=0)
    result = mlops("reproduce", "latest", "--verify", "--json", code=0)
    assert result.json["warnings"] == []
    shown = mlops("runs", "show", "--json", code=0).data["steps"][0]
    patch = shown["code"]["patch"]
    assert b"scale: 7" in open_cache(made / ".mlops/cache").read(Digest(patch))

    shutil.rmtree(made / ".mlops/cache")  # as in a clone that has only the data
    mlops("add", "data/raw.txt", code=0)
    result = mlops("reproduce", "latest", "--json", code=1)
    assert "params.yaml" in result.json["warnings"][0]
    assert result.data["because"][0]["sentence"] == "param fit.scale 7 → 2"


def test_data_that_is_nowhere_and_unknown_names_are_errors(
    made: Path, mlops: Any, git: Any, tmp_path: Path, assert_valid: Any
) -> None:
    git("clone", "-q", str(made), str(tmp_path / "clone"))
    result = mlops("reproduce", "--json", cwd=tmp_path / "clone", code=20)
    assert_valid(result.json)
    assert result.error["code"] == "no-remote"
    assert mlops("reproduce", "nope", "--json", code=20).error["code"] == "unknown-run"
    first = git("rev-list", "--max-parents=0", "HEAD").strip()
    assert mlops("reproduce", first, "--json", code=20).error["code"] == "nothing-recorded"
    assert json.loads((made / ".mlops/lock/fit.json").read_text())["step"] == "fit"
