"""`mlops explain --against`: what differs from the lock of another commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PIPELINE = """\
version: 1
project: {name: p}
steps:
  clean:
    cmd: python clean.py
    deps: [days.csv, clean.py]
    outs: [out/clean.csv]
  fit:
    cmd: echo ${params.rate} > out/model; cat out/clean.csv >> out/model
    deps: [out/clean.csv]
    outs: [out/model]
    variables: [REGION]
"""
CLEAN = "open('out/clean.csv', 'w').write(open('days.csv').read())\n"


@pytest.fixture
def project(repo: Path, mlops: Any, git: Any) -> Path:
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "params.yaml").write_text("rate: 0.1\n")
    (repo / "days.csv").write_text("1\n")
    (repo / "clean.py").write_text(CLEAN)
    (repo / ".gitignore").write_text("/.mlops/*\n!/.mlops/lock/\nout/\n")
    git("add", "-A")
    git("commit", "-qm", "Start")
    mlops("run", code=0, env={"REGION": "eu"})
    git("tag", "before")
    return repo


def test_each_part_that_differs_is_named(
    project: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    (project / "params.yaml").write_text("rate: 0.2\n")
    git("commit", "-qam", "faster")
    mlops("run", code=0, env={"REGION": "us"})
    told = mlops("explain", "fit", "--against", "before", "--json", env={"REGION": "us"}, code=0)
    assert_valid(told.json)
    assert told.data["action"] == "skip"
    against = told.data["against"]
    assert [(one["part"], one["sentence"]) for one in against["because"]] == [
        ("params", "param rate 0.1 → 0.2"),
        ("environment", "the environment variable REGION changed"),
    ]
    assert [one["path"] for one in against["outputs"]] == ["out/model"]
    shown = mlops("explain", "fit", "--against", "before", env={"REGION": "us"}, code=0).stdout
    assert shown.startswith("fit differs in 2 ways from before.\n  params       param rate 0.1 →")


def test_what_comes_first_and_is_stale_is_named_in_place_of_its_outputs(
    project: Path, mlops: Any
) -> None:
    (project / "days.csv").write_text("2\n")
    env = {"REGION": "eu"}
    against = mlops("explain", "fit", "--against", "before", "--json", env=env).data["against"]
    assert (against["because"], against["later"]) == ([], ["clean"])
    shown = mlops("explain", "fit", "--against", "HEAD", env=env).stdout
    assert "fit is made as it was at HEAD." in shown
    assert "What it reads from clean is known when they have run." in shown
    (one,) = mlops("explain", "clean", "--against", "before", "--json", env=env).data["against"][
        "because"
    ]
    assert (one["part"], one["path"]) == ("data", "days.csv")


def test_a_commit_before_the_first_lock_is_refused_with_where_to_look(
    project: Path, mlops: Any
) -> None:
    result = mlops("explain", "fit", "--against", "before~1", "--json")
    assert (result.code, result.error["code"]) == (20, "no-lock-there")
    assert ".mlops/lock/fit.json" in result.error["hint"]
