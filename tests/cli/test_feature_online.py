"""`mlops feature` materialize, get, history and test, on a small project of trips."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

PIPELINE = """\
version: 1
project: {name: trips, task: binary}
data:
  trips: {path: data/trips.csv, key: id, time: leaves}
features:
  history:
    entity: line
    from: data.trips
    time: lands
    windows: {rate: {mean: late, over: [7d]}, trips: {count: late, over: [1d]}}
    owner: science
  length:
    entity: [line, stop]
    from: data.trips
    time: leaves
    ttl: 3h
    transform: src/features.py:length
    fields: {kilometres: float}
    online: true
"""
TRIPS = """\
id,line,stop,leaves,lands,miles,late
1,a,7,2013-01-01T10:00:00Z,2013-01-01T12:00:00Z,10,1
2,a,8,2013-01-01T11:00:00Z,2013-01-01T13:00:00Z,20,0
3,b,7,2013-01-02T10:00:00Z,2013-01-02T12:00:00Z,30,1
"""
CODE = """\
import pyarrow.compute as pc


def length(trips):
    return trips.append_column("kilometres", pc.multiply(trips["miles"], 1.5))
"""
Run = Callable[..., Any]


@pytest.fixture
def trips(repo: Path, git: Callable[..., str], mlops: Run) -> Path:
    (repo / "data").mkdir()
    (repo / "src").mkdir()
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "data" / "trips.csv").write_text(TRIPS)
    (repo / "src" / "features.py").write_text(CODE)
    (repo / ".gitignore").write_text("/out/\n/.mlops/*\n!/.mlops/lock/\n")
    git("add", "-A")
    git("commit", "-qm", "a project")
    mlops("feature", "build", code=0)
    return repo


def get(mlops: Run, *words: str, **more: Any) -> Any:
    return mlops("feature", "get", *words, "--json", code=0, **more)


def test_online_answers_what_offline_knew_and_honours_the_ttl(
    trips: Path, mlops: Run, assert_valid: Callable[..., None]
) -> None:
    both = ("history", "length", "--entity", "line=a", "-e", "stop=8")
    early = ("--at", "2013-01-01T12:30:00Z")
    done = mlops("feature", "materialize", "history", "length", *early, "--json", code=0)
    assert_valid(done.json)
    assert [(view["entities"], view["written"]) for view in done.data["views"]] == [(1, 1), (2, 2)]

    offline = get(mlops, *both, *early)
    online = get(mlops, *both, *early, "--online")
    assert_valid(offline.json)
    assert_valid(online.json)
    assert offline.data["rows"] == online.data["rows"]
    assert offline.data["rows"][0]["values"] == {
        "history_rate_7d": 1.0,
        "history_trips_1d": 1,
        "kilometres": 30.0,
    }
    versions = [[view["version"] for view in one.data["views"]] for one in (offline, online)]
    assert versions[0] == versions[1]
    assert online.data["views"][0]["as_of"] == "2013-01-01T12:30:00Z"

    late = mlops("feature", "get", *both, "--online", code=0)  # now is March
    assert "length: what the online store holds is older than the ttl." in late.stdout
    nobody = get(mlops, "history", "line=z", "--online", *early)
    assert nobody.data["rows"][0] == {
        "entity": {"line": "z"},
        "values": {"history_rate_7d": None, "history_trips_1d": 0},
        "missing": {"history": "unknown"},
    }
    assert (
        get(mlops, "history", "line=z", *early).data["rows"][0]["values"]
        == (nobody.data["rows"][0]["values"])
    )


def test_materializing_is_idempotent_and_refuses_what_is_stale_or_older(
    trips: Path, mlops: Run
) -> None:
    missing = mlops("feature", "get", "length", "line=a", "stop=8", "--online", "--json", code=20)
    assert missing.error["code"] == "not-materialized"
    words = ("feature", "materialize", "--json", "--at")
    first = mlops(*words, "2013-01-03T00:00:00Z", code=0).data["views"]
    assert [view["name"] for view in first] == ["length"]  # the only one with online: true
    again = mlops(*words, "2013-01-03T00:00:00Z", code=0).data["views"]
    assert (again[0]["written"], again[0]["former_as_of"]) == (0, "2013-01-03T00:00:00Z")

    back = mlops(*words, "2013-01-02T00:00:00Z", code=30)
    assert back.error["code"] == "watermark-ahead"
    assert mlops(*words, "2013-01-02T00:00:00Z", "--back", code=0).data["views"][0]["removed"] == 1

    (trips / "src" / "features.py").write_text(CODE.replace("1.5", "1.6"))
    stale = mlops(*words, "2013-01-03T00:00:00Z", code=30)
    assert (stale.error["code"], stale.error["hint"]) == (
        "stale-features",
        "mlops run feature.length",
    )
    kept = get(mlops, "length", "line=a", "stop=7", "--online", "--at", "2013-01-01T10:00:00Z")
    assert kept.data["rows"][0]["values"] == {"kilometres": 15.0}
    mlops("run", "feature.length", code=0)
    assert mlops(*words, "2013-01-03T00:00:00Z", code=0).data["views"][0]["written"] == 3


def test_many_entities_come_from_a_file_and_go_to_one(
    trips: Path, mlops: Run, tmp_path: Path
) -> None:
    when = [datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 5, tzinfo=UTC), None]
    keys = pa.table({"id": [1, 2, 3], "line": ["b", "a", None], "when": when})
    pq.write_table(keys, tmp_path / "keys.parquet")
    file = ("--entities", str(tmp_path / "keys.parquet"))
    out = tmp_path / "frame.parquet"

    known = get(mlops, "history", *file, "--time", "when", "--out", str(out))
    assert (known.data["count"], known.data["rows"]) == (3, [])
    frame = pq.read_table(out)
    assert frame.column_names == ["id", "line", "when", "history_rate_7d", "history_trips_1d"]
    assert frame["history_rate_7d"].to_pylist() == [None, 0.5, None]
    assert frame["history_trips_1d"].to_pylist() == [0, 0, None]

    mlops("feature", "materialize", "history", "--at", "2013-01-05", code=0)
    online = get(mlops, "history", *file, "--online", "--time", "when").data["rows"]
    assert [row["missing"] for row in online] == [
        {"history": "later"},
        {},
        {"history": "unknown"},
    ]
    assert online[1]["values"] == {"history_rate_7d": 0.5, "history_trips_1d": 0}
    everyone = get(mlops, "history", "--at", "2013-01-05").data["rows"]
    assert [row["entity"] for row in everyone] == [{"line": "a"}, {"line": "b"}]
    for words, code in [
        (("history", "length"), "no-entity"),
        (("length", "line=a", "stop=x"), "wrong-entity"),
        (("history", "line=a", "--online", "--rev", "HEAD"), "contradictory-options"),
        (("history", *file, "--at", "2013-01-05", "--time", "when"), "contradictory-options"),
    ]:
        refused = mlops("feature", "get", *words, "--json", code=2)
        assert refused.error["code"] == code


def test_a_version_pins_values_and_rule_and_history_tells_who_changed_them(
    trips: Path,
    mlops: Run,
    git: Callable[..., str],
    assert_valid: Callable[..., None],
) -> None:
    asked = ("length", "line=a", "stop=8", "--at", "2013-01-01T13:30:00Z")
    before = get(mlops, *asked).data
    assert before["rows"][0]["values"] == {"kilometres": 30.0}
    git("tag", "then")
    (trips / "pipeline.yaml").write_text(PIPELINE.replace("ttl: 3h", "ttl: 1h"))
    git("commit", "-qam", "shorter memory")
    (trips / "src" / "features.py").write_text(CODE.replace("1.5", "1.6"))
    git("commit", "-qam", "longer kilometres")
    mlops("feature", "build", code=0)
    assert get(mlops, *asked).data["rows"][0]["values"] == {"kilometres": None}

    digest = before["views"][0]["version"]
    for words in (("--rev", "then"), ("--version", digest[:20])):
        pinned = get(mlops, *asked, *words).data
        assert (pinned["views"], pinned["rows"]) == (before["views"], before["rows"])
    unknown = mlops("feature", "get", *asked, "--version", "sha256:000000", "--json", code=20)
    assert unknown.error["code"] == "unknown-version"

    told = mlops("feature", "history", "length", "--json", code=0)
    assert_valid(told.json)
    changes = told.data["changes"]
    assert [change["sentences"] for change in changes] == [
        ["the values changed"],
        ["the code changed"],
        ["ttl: 3h to 1h"],
        ["built"],
        ["defined"],
    ]
    assert changes[3]["version"] == digest
    assert "ttl: 3h to 1h" in mlops("feature", "history", "length", code=0).stdout
    mlops("feature", "history", "nothing", code=20)


def test_a_rule_is_tested_for_the_same_rows_every_time(
    trips: Path, mlops: Run, assert_valid: Callable[..., None], git: Callable[..., str]
) -> None:
    good = mlops("feature", "test", "--json", code=0)
    assert_valid(good.json)
    assert [view["passed"] for view in good.data["views"]] == [True, True]
    chance = CODE.replace("import", "import random\nimport", 1).replace("1.5", "random.random()")
    (trips / "src" / "features.py").write_text(chance)
    bad = mlops("feature", "test", "length", "--json", code=1)
    assert_valid(bad.json)
    assert bad.data["views"][0]["sentence"] == (
        "built twice, kilometres came out differently: src/features.py:length is not deterministic"
    )
    assert git("status", "--short") == " M src/features.py\n"
