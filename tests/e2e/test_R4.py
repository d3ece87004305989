"""R4, data engineer: rules and expectations in pipeline.yaml; what breaks them stops the ingestion
and is an event for who owns the source."""

from __future__ import annotations

from typing import Any


def test_rules_are_applied_and_a_broken_expectation_stops_what_follows(project: Any) -> None:
    (view,) = [
        each for each in project.here("feature", "list")["views"] if each["name"] == "airport_now"
    ]
    assert view["owner"]
    assert project.here("feature", "validate", "weather")["sources"]
    project.edit("pipeline.yaml", "late_rate: {mean: late, over: [3h, 1d]}",
                 "late_rate: {mean: late, over: [3h, 12h]}")  # fmt: skip
    stale = project.here("status")
    assert "feature.airport_now" in str(stale), "a rule is part of what a step depends on"
    before = project.lock("feature.weather_at_origin")
    project.edit("pipeline.yaml", "temp: {type: float, nulls: 5%}", "temp: {max: 50, nulls: 5%}")
    refused = project.mlops("run", "feature.weather_at_origin", code=60)
    assert refused["code"] == "contract-broken" and "temp" in str(refused)
    assert project.lock("feature.weather_at_origin") == before, "nothing was ingested"
    found = project.here("runs", "search", "step = data.weather and status = failed")["records"]
    assert found, "the ledger keeps that it failed"
    (event,) = project.here("events", "list", "--for", "data.weather")["events"]
    assert (event["to"], event["owner"]) == ("data", "data-engineering")
    assert "temp" in event["what"] and event["record"] == found[0]["record"]
    project.edit("pipeline.yaml", "temp: {max: 50, nulls: 5%}", "temp: {max: 200, nulls: 5%}")
    project.mlops("run", "data.weather")
    assert not project.here("events", "list", "--for", "data")["events"]
