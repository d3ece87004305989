"""Step 13, features for analysis: one call gives a table of a version that is named, and one
tells who owns the rule what should change."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_one_call_gives_what_was_known_of_an_entity_at_a_time(demo: Any) -> None:
    words = ("feature", "get", "weather_at_origin", "origin=JFK")
    march = demo.mlops(*words, "--at", "2013-03-01T12:00:00Z")
    june = demo.mlops(*words, "--at", "2013-06-01T12:00:00Z")
    (cold,), (warm,) = march["rows"], june["rows"]
    assert cold["values"]["temperature"] < 10 < warm["values"]["temperature"]
    built = demo.lock("feature.weather_at_origin")["outputs"]["out/features/weather_at_origin"]
    assert march["views"][0]["version"] == built["digest"]


def test_an_older_version_is_read_by_its_commit(demo: Any, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    lock = ".mlops/lock/feature.weather_at_origin.json"
    first = demo.git("log", "--reverse", "--format=%H", "--", lock).splitlines()[0]
    out = tmp_path / "then.parquet"
    then = demo.mlops("feature", "get", "weather_at_origin", "--version", first, "-o", str(out))
    now = demo.mlops("feature", "get", "weather_at_origin")
    assert then["views"][0]["version"] != now["views"][0]["version"]
    assert pq.read_table(out).num_rows == then["count"]


def test_what_should_change_reaches_who_owns_the_rule(project: Any) -> None:
    project.here("feedback", "wind gusts, please", "--about", "feature.weather_at_origin")
    (event,) = project.here("events", "list", "--for", "feature.weather_at_origin")["events"]
    assert (event["to"], event["owner"]) == ("data", "data-engineering")
    assert event["what"] == "wind gusts, please"
