"""`until`: a step is tried again until a metric is as good as it should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAD = "version: 1\nproject: {name: p}\nsteps:\n"
IGNORED = "out/\n.mlops/*\n!.mlops/lock/\n"
FIT = """\
  fit:
    cmd: "echo try ${try} $MLOPS_TRY > out/model; echo '{\\"auc\\": 0.'${try}'}' > m.json"
    outs: [out/model]
    metrics: [m.json]
    until: {metric: auc >= 0.3, tries: 4}
"""


@pytest.fixture
def write(repo: Path, git: Callable[..., str]) -> Callable[[str], Path]:
    """write(steps): a repository whose pipeline.yaml has these steps."""

    def make(steps: str) -> Path:
        (repo / "pipeline.yaml").write_text(HEAD + steps)
        (repo / ".gitignore").write_text(IGNORED)
        git("add", "-A")
        git("commit", "-qm", "begin")
        return repo

    return make


def records(git: Callable[..., str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for ref in git("for-each-ref", "--format=%(refname)", "refs/mlops/ledger/").split():
        for path in git("ls-tree", "-r", "--name-only", ref).split():
            found.append(json.loads(git("show", f"{ref}:{path}")))  # noqa: PERF401
    return [one for one in found if one["kind"] == "run"]


def test_a_step_is_tried_until_its_goal_and_each_try_is_a_record(
    write: Any, mlops: Any, git: Any
) -> None:
    root = write(FIT)
    result = mlops("run", code=0)
    assert "try 2 of 4" in result.stderr
    assert (root / "out/model").read_text() == "try 3 3\n"
    told = sorted((one["metrics"]["auc"], one["status"]) for one in records(git))
    assert told == [(0.1, "failed"), (0.2, "failed"), (0.3, "done")]
    assert "Nothing to do" in mlops("run", code=0).stdout


def test_a_goal_that_is_never_met_leaves_what_was_there(write: Any, mlops: Any, git: Any) -> None:
    root = write(FIT)
    mlops("run", code=0)
    (root / "pipeline.yaml").write_text(HEAD + FIT.replace("0.3, tries: 4", "0.9, tries: 2"))
    assert "until auc >= 0.3 → auc >= 0.9" in mlops("explain", "fit", code=0).stdout
    missed = mlops("run", code=60)
    assert "missed its goal: auc is 0.2, to be >= 0.9" in missed.stderr
    assert (root / "out/model").read_text() == "try 3 3\n"
    assert len(records(git)) == 5


def test_a_budget_ends_the_tries(write: Any, mlops: Any, git: Any) -> None:
    write(FIT.replace("tries: 4", "tries: 4, budget: 0s"))
    mlops("run", code=60)
    assert len(records(git)) == 1


def test_a_goal_of_a_metric_that_nobody_tells_is_no_reason_to_try_again(
    write: Any, mlops: Any, git: Any
) -> None:
    write(FIT.replace("metric: auc", "metric: acu"))
    result = mlops("run", code=60)
    assert "tells no metric acu" in result.stderr
    assert "did you mean 'auc'?" in result.stderr
    assert len(records(git)) == 1


@pytest.mark.parametrize(
    ("until", "place", "words"),
    [
        ("{metric: auc}", "4:31", "no goal such as auc >= 0.9"),
        ("{metric: auc > 1, tries: 0}", "4:47", "less than once"),
        ("{metric: auc > 1, budget: much}", "4:48", "is not a duration"),
        ("{metirc: auc > 1}", "4:23", "did you mean 'metric'"),
    ],
)
def test_what_is_wrong_with_a_goal_is_refused_at_its_place(
    write: Any, mlops: Any, until: str, place: str, words: str
) -> None:
    write(f"  a: {{cmd: c, until: {until}}}\n")
    result = mlops("run", code=10)
    assert words in result.stderr
    assert f"pipeline.yaml:{place}" in result.stderr
