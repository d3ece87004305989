"""Step 4, the data that is needed: a contract in pipeline.yaml, held against what is there."""

from __future__ import annotations

from typing import Any


def test_what_is_there_keeps_the_contract_and_a_broken_promise_is_named(project: Any) -> None:
    kept = project.run("mlops", "feature", "validate", "--json")
    assert '"weather"' in kept.stdout and '"flights"' in kept.stdout
    project.edit("pipeline.yaml", "temp: {type: float, nulls: 5%}", "temp: {max: 50, nulls: 5%}")
    told = project.said("feature", "validate", "weather", code=None)
    assert "temp" in told and "50" in told, told
    refused = project.mlops("run", "data.weather", code=60)
    assert refused["code"] == "contract-broken" and "temp" in str(refused)


def test_a_key_that_is_not_unique_and_a_column_that_is_not_there_are_refused(project: Any) -> None:
    project.edit("pipeline.yaml", "key: [origin, observed_at]", "key: [origin]")
    assert "origin" in str(project.mlops("run", "data.weather", code=60))
    project.edit("pipeline.yaml", "key: [origin]", "key: [airport]")
    assert "airport" in str(project.mlops("run", "data.weather", code=60))
