"""`mlops feature` on a small project of trips and weather."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PIPELINE = """\
version: 1
project: {name: trips, task: binary}
data:
  trips:
    path: data/trips.csv
    key: id
    time: leaves
    label: {column: late, known_at: lands}
    checks: {miles: {type: int, min: 1, nulls: 0}}
    fresh_within: 60d
features:
  history:
    entity: line
    from: data.trips
    time: lands
    windows: {rate: {mean: late, over: [7d]}, trips: {count: late, over: [1d]}}
    owner: science
  length:
    entity: [line, id]
    from: data.trips
    time: leaves
    ttl: 3h
    transform: src/features.py:length
    fields: {kilometres: float}
    checks: {kilometres: {max: 100}}
    on_fail: quarantine
"""
TRIPS = """\
id,line,leaves,lands,miles,late
1,a,2013-01-01T10:00:00Z,2013-01-01T12:00:00Z,10,1
2,a,2013-01-01T11:00:00Z,2013-01-01T13:00:00Z,20,0
3,b,2013-01-02T10:00:00Z,2013-01-02T12:00:00Z,30,1
4,b,2013-01-02T11:00:00Z,,400,
"""
CODE = """\
import pyarrow.compute as pc


def length(trips):
    return trips.append_column("kilometres", pc.multiply(trips["miles"], 1.609344))
"""


@pytest.fixture
def trips(repo: Path, git: Callable[..., str]) -> Path:
    (repo / "data").mkdir()
    (repo / "src").mkdir()
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "data" / "trips.csv").write_text(TRIPS)
    (repo / "src" / "features.py").write_text(CODE)
    (repo / ".gitignore").write_text("/out/\n/.mlops/*\n!/.mlops/lock/\n")
    git("add", "-A")
    git("commit", "-qm", "a project")
    return repo


def test_a_view_is_built_and_read_as_it_was_known(
    trips: Path,
    mlops: Callable[..., Any],
    git: Callable[..., str],
    assert_valid: Callable[..., None],
) -> None:
    before = mlops("feature", "list", "--json", code=0)
    assert_valid(before.json)
    assert [view["built"] for view in before.data["views"]] == [None, None]

    unbuilt = mlops("feature", "get", "history", "line=a", "--json", code=30)
    assert unbuilt.error["code"] == "not-built"
    assert unbuilt.error["hint"] == "mlops feature build history"

    built = mlops("feature", "build", "--json", code=0)
    assert_valid(built.json)
    facts = {view["name"]: view["built"] for view in built.data["views"]}
    assert facts["history"]["rows"] == 3  # trip 4 has not landed
    assert facts["length"]["quarantined"] == 1
    assert git("status", "--short") == ""
    assert "Nothing to do" in mlops("feature", "build", code=0).stdout

    def rate(at: str) -> Any:
        found = mlops("feature", "get", "history", "line=a", "--at", at, "--json", code=0)
        assert_valid(found.json)
        return list(found.data["rows"][0]["values"].values())

    assert rate("2013-01-01T11:59:59Z") == [None, 0]
    assert rate("2013-01-01T12:00:00Z") == [1.0, 1]
    assert rate("2013-01-01T13:00:00+00:00") == [0.5, 2]
    assert rate("2013-01-09T00:00:00") == [None, 0]
    human = mlops("feature", "get", "length", "line=a", "id=2", "--at", "2013-01-01T11:00:00Z")
    assert human.stdout == "kilometres  32.1869\n"


def test_contracts_are_judged_now(
    trips: Path, mlops: Callable[..., Any], assert_valid: Callable[..., None]
) -> None:
    kept = mlops("feature", "validate", "--json", code=0)
    assert_valid(kept.json)
    assert kept.data["passed"] and kept.data["sources"][0]["rows"] == 4

    stale = mlops("feature", "validate", env={"MLOPS_NOW": "2013-12-01T00:00:00Z"}, code=1)
    assert "should be no older than 60d, but is as old as 2013-01-02T11:00:00Z" in stale.stdout

    (trips / "data" / "trips.csv").write_text(TRIPS.replace(",10,1", ",-10,1"))
    broken = mlops("feature", "validate", "trips", "--json", code=1)
    assert_valid(broken.json)
    (rule,) = [rule for rule in broken.data["sources"][0]["rules"] if not rule["passed"]]
    assert (rule["rule"], rule["column"], rule["rows"]) == ("min", "miles", 1)
    # and what depends on broken data does not start
    refused = mlops("feature", "build", "history", "--json", code=60)
    assert refused.error["code"] == "contract-broken"
    assert not (trips / "out" / "features").exists()


def test_tables_are_profiled_by_name_and_by_path(
    trips: Path, mlops: Callable[..., Any], assert_valid: Callable[..., None]
) -> None:
    first = mlops("feature", "profile", "trips", "--json", code=0)
    assert_valid(first.json)
    (trips / "base.json").write_text(first.stdout)
    shutil.copy(trips / "data" / "trips.csv", trips / "other.csv")
    later = mlops("feature", "profile", "other.csv", "--base", "base.json", "--json", code=0)
    assert later.data == first.data
    human = mlops("feature", "profile", "data.trips", code=0).stdout
    assert "4 rows" in human and "late" in human and max(map(len, human.splitlines())) <= 80
    assert json.loads(first.stdout)["data"]["columns"]["line"]["counts"] == [2, 2]


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["get", "nothing", "x=1"], "unknown-feature", 20),
        (["validate", "nothing"], "unknown-source", 20),
        (["profile", "../secret.csv"], "path-outside-project", 10),
        (["profile", "trips", "--base", "no.json"], "profile-missing", 20),
        (["get", "history", "train=a"], "wrong-entity", 2),
    ],
)
def test_what_does_not_exist_is_refused_by_name(
    trips: Path,
    mlops: Callable[..., Any],
    assert_valid: Callable[..., None],
    words: list[str],
    code: str,
    exit_code: int,
) -> None:
    refused = mlops("feature", *words, "--json", code=exit_code)
    assert_valid(refused.json)
    assert refused.error["code"] == code
