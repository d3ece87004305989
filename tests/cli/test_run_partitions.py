"""Entries in partitions: which there are by the clock, backfill, and how they stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEAD = "version: 1\nproject: {name: p}\nsteps:\n"
IGNORED = "out/\n.mlops/*\n!.mlops/lock/\n"
DAILY = """\
  daily:
    partitions: {by: time, every: 1d, start: 2024-01-01}
    cmd: echo ${partition} ${partition.start} ${partition.end} > out/day/${partition}
    outs: ['out/day/${partition}']
  sum:
    partitions: {by: time, every: 1d, start: 2024-01-01}
    cmd: cp out/day/${partition} out/sum-${partition}
    deps: ['out/day/${partition}']
    outs: ['out/sum-${partition}']
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


def at(day: str) -> dict[str, str]:
    return {"MLOPS_NOW": f"{day}T06:00:00+00:00"}


def did(result: Any) -> list[str]:
    return [step["step"] for step in result.data["steps"] if step["did"]]


def test_a_day_is_a_step_once_it_is_over(write: Any, mlops: Any) -> None:
    root = write(DAILY)
    first = mlops("run", "daily", "--json", env=at("2024-01-03"), code=0)
    assert did(first) == ["daily@2024-01-01", "daily@2024-01-02"]
    assert (root / ".mlops/lock/daily@2024-01-02.json").exists()
    assert (root / "out/day/2024-01-02").read_text() == "2024-01-02 2024-01-02 2024-01-03\n"
    later = mlops("run", "daily", "--json", env=at("2024-01-04"), code=0)
    assert did(later) == ["daily@2024-01-03"]
    assert "Nothing to do: 2 steps" in mlops("run", "daily", env=at("2024-01-03"), code=0).stdout


def test_a_backfill_takes_the_partitions_asked_for_and_what_they_read(
    write: Any, mlops: Any
) -> None:
    write(DAILY)
    now = at("2024-03-01")
    some = mlops("run", "sum", "--partition", "2024-01-30..2024-02-01", "--json", env=now, code=0)
    days = ("2024-01-30", "2024-01-31", "2024-02-01")
    assert sorted(did(some)) == sorted(f"{step}@{day}" for step in ("daily", "sum") for day in days)
    month = mlops("run", "daily", "--partition", "2024-02..2024-02", "--json", env=now, code=0)
    assert len(did(month)) == 28  # the first was there
    one = mlops("run", "--partition", "2024-01-05", "--json", env=now, code=0)
    assert did(one) == ["daily@2024-01-05", "sum@2024-01-05"]


def test_the_grid_shows_each_partition_with_a_sign(
    write: Any, mlops: Any, assert_valid: Any
) -> None:
    root = write(DAILY)
    now = at("2024-01-06")
    mlops("run", "daily", "--partition", "2024-01-02..2024-01-03", env=now, code=0)
    (root / "out/day/2024-01-03").write_text("by hand")
    shown = mlops("dag", "daily", "--partitions", env=now, code=0).stdout
    assert "daily  1 of 5 done\n  2024-01-01  .#~..\n" in shown
    document = mlops("dag", "--partitions", "--json", env=now, code=0)
    assert_valid(document.json)
    (daily, _) = document.data["partitions"]
    assert daily["partitions"][1] == {"name": "2024-01-02", "state": "done"}


def test_keys_are_partitions_in_the_order_in_which_they_are_written(write: Any, mlops: Any) -> None:
    write("  k: {partitions: {keys: [z, a, m]}, cmd: 'echo ${partition}', outs: []}\n")
    assert did(mlops("run", "--partition", "a..m", "--json", code=0)) == ["k@a", "k@m"]
    assert "did you mean" not in mlops("run", "--partition", "q", code=20).stderr


@pytest.mark.parametrize(
    ("said", "place", "words"),
    [
        ("{every: 1d}", "4:19", "needs either start"),
        ("{start: 2024-01-01, keys: [a]}", "4:19", "needs either start"),
        ("{start: yesterday}", "4:27", "is no time"),
        ("{start: 2024-01-01, every: 1s}", "4:46", "at least 1m long"),
        ("{start: 2024-01-01, every: daily}", "4:46", "is not a duration"),
        ("{start: 2024-01-01, format: '%d'}", "4:47", "do not sort"),
        ("{start: 1900-01-01, every: 1m}", "4:19", "are the most"),
        ("{start: 2024-01-01, evry: 1d}", "4:39", "did you mean 'every'"),
        ("{keys: [a]}, for: [1]", "4:32", "can have one of them"),
    ],
)
def test_what_is_wrong_with_partitions_is_refused_at_its_place(
    write: Any, mlops: Any, said: str, place: str, words: str
) -> None:
    write(f"  a: {{partitions: {said}, cmd: c}}\n")
    result = mlops("run", env=at("2024-03-01"), code=10)
    assert words in result.stderr
    assert f"pipeline.yaml:{place}" in result.stderr


def test_partitions_that_are_not_there_are_not_found(write: Any, mlops: Any) -> None:
    write(DAILY + "  other: {cmd: 'true'}\n")
    now = at("2024-01-03")
    missing = mlops("run", "--partition", "2025-01-01", env=now, code=20)
    assert "there is no partition 2025-01-01" in missing.stderr
    assert (
        "no step here has partitions"
        in mlops("run", "other", "--partition", "x", env=now, code=20).stderr
    )
