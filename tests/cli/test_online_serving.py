"""A deployment that looks features up: from `feature materialize` to an answer by key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serving_world
from serving_world import ROW, World

from mlops_cli.serving.targets.local import LocalTarget

PIPELINE = """\
version: 1
project: {name: delays, task: binary}
data:
  flights: {path: data/flights.csv, key: id, time: seen, label: {column: late}}
features:
  winds:
    entity: [gate, airport]
    from: data.flights
    time: seen
    ttl: 2h
    sql: winds.sql
    fields: {wind: float}
train:
  delay:
    dataset: {spine: data.flights, features: [winds], columns: [distance, carrier, stops]}
    code: src/train.py:train
    metrics: [roc_auc]
models:
  delay: {from: train.delay, aliases: {production: {}}}
deployments:
  prod:
    model: delay@production
    target: {port: 0}
    features: {online: sqlite, missing: default}
"""
FLIGHTS = """\
id,airport,gate,seen,wind,late
1,JFK,A4,2013-01-01T10:00:00Z,0.25,0
2,JFK,A4,2013-01-01T12:00:00Z,0.75,1
"""


@pytest.fixture
def mlops(mlops_process: Any) -> Any:
    """A process: the server that it starts lives on without it."""
    return mlops_process


@pytest.fixture
def world(repo: Path) -> Iterator[World]:
    made = serving_world.make_world(repo)
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "winds.sql").write_text("SELECT airport, gate, seen, wind FROM source")
    (repo / "data").mkdir()
    (repo / "data" / "flights.csv").write_text(FLIGHTS)
    made.promote(made.register(0.0))
    yield made
    LocalTarget(repo).stop("prod", wait=20)


def test_a_server_answers_rows_that_hold_only_keys(
    world: World, mlops: Callable[..., Any], assert_valid: Callable[[Any], None]
) -> None:
    early = mlops("deploy", "apply", "--json", code=20)
    assert early.error["code"] == "not-materialized"
    assert early.error["hint"] == "mlops feature materialize winds"
    mlops("feature", "build", code=0)
    mlops("feature", "materialize", "--at", "2013-01-01T11:00:00Z", code=0)
    mlops("deploy", "apply", code=0)
    stated = (world.root / "environments" / "prod.yaml").read_text()
    assert "ttl: 7200000000" in stated

    def ask(code: int = 0, **changes: Any) -> Any:
        row = {name: value for name, value in (ROW | changes).items() if value != "left out"}
        told = mlops("predict", "prod", "--row-json", json.dumps(row), "--json", code=code)
        return told.data["predictions"] if code == 0 else told.error["message"]

    at = {"airport": "JFK", "gate": "A4", "wind": "left out", "time": "2013-01-01T12:30:00Z"}
    # the snapshot of 11:00 is 2.5 hours old at 12:30, and that of 12:30 is not
    assert ask(**at) == ask(wind=None)
    mlops("feature", "materialize", "--at", "2013-01-01T12:30:00Z", code=0)
    assert ask(**at) == ask(wind=0.75)

    (world.root / "pipeline.yaml").write_text(PIPELINE.replace("default", "refuse"))
    switched = mlops("deploy", "apply", "--json", code=0)
    assert_valid(switched.json)
    assert (switched.data["action"], switched.data["changes"]) == (
        "switch",
        [{"what": "features", "sentence": "features: as pipeline.yaml says now."}],
    )
    assert "nobody has seen winds of A4, LAX" in ask(30, **at | {"airport": "LAX"})
    assert ask(**at) == ask(wind=0.75)


def test_a_deployment_of_a_model_without_features_looks_nothing_up(
    world: World, mlops: Callable[..., Any]
) -> None:
    (world.root / "pipeline.yaml").write_text(PIPELINE.replace("features: [winds], ", ""))
    refused = mlops("deploy", "plan", "--json", code=10)
    assert "train.delay takes no features" in refused.error["message"]
