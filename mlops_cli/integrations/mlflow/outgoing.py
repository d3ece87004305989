"""A record of a run as MLflow's REST API takes it, also one that MLflow has never seen."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mlops_cli.integrations.mlflow import artifacts, told
from mlops_cli.integrations.mlflow.entity import Entity, Point
from mlops_cli.ledger.record import Record
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest

_NAMES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def thing(record: Record, cache: Cache) -> Entity:
    """Return the record as a run of MLflow, also one that MLflow has never seen."""

    def read(digest: str) -> bytes:
        return cache.read(Digest.parse(digest))

    if record["step_kind"] == told.STEP_KIND:
        return told.thing_of(record, read, points=True)
    thing = Entity("run", str(record["run"]))
    both = {**(record["params"] or {}), **(record["logged"] or {})}
    thing.params = {name: word(value) for name, value in both.items()}
    thing.tags = {"mlops.step_kind": str(record["step_kind"])}
    at = milliseconds(record["time"])
    if record["series"]:
        from mlops_cli import live

        logged = live.parse(read(record["series"])).metrics
        thing.points = [
            Point(name, point.value, round(point.time * 1000), point.step)
            for name, points in logged.items()
            for point in points
            if point.value is not None
        ]
    known = {point.key for point in thing.points}
    thing.points += [
        Point(name, float(value), at, 0)
        for name, value in (record["metrics"] or {}).items()
        if name not in known and isinstance(value, int | float)
    ]
    return thing


def trees(record: Record, cache: Cache) -> dict[str, str]:
    """Return where below a run → tree: its artifacts, and the logged models beside them."""
    tree = record["artifacts"]
    found = {"": tree} if tree else {}
    if record["step_kind"] == told.STEP_KIND:
        inside = artifacts.models_in(cache, tree) if tree else {}
        models = (record["outputs"] or {}).items()
        found |= {f"{name}/": one for name, one in models if inside.get(name) != one}
    return found


def metric(point: Point) -> dict[str, Any]:
    finite = math.isfinite(point.value)
    value: Any = point.value if finite else _NAMES[repr(float(point.value))]
    return {"key": point.key, "value": value, "timestamp": point.time, "step": point.step}


def pairs(pairs: Iterable[tuple[str, str]], longest: int) -> list[dict[str, str]]:
    return [{"key": key, "value": text[:longest]} for key, text in pairs]


def dataset(one: dict[str, Any]) -> dict[str, Any]:
    words = ("name", "digest", "source_type", "source", "schema", "profile")
    tags = [{"key": key, "value": value} for key, value in (one.get("tags") or {}).items()]
    return {"tags": tags, "dataset": {word: one[word] for word in words if one.get(word)}}


def word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def milliseconds(text: Any) -> int:
    return round(datetime.fromisoformat(str(text)).timestamp() * 1000)
