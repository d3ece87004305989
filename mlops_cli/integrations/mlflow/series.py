"""Points of metrics as the ledger's `series`: JSON lines, as docs/formats/experiments.md says.

A number that JSON has not stands as null there; beside it `words` has what it was, so that nothing
MLflow knew is lost. `told` has the run and the dataset of a point of a logged model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from mlops_cli.integrations.mlflow.entity import Point


def write(points: Iterable[Point]) -> bytes:
    """Return the lines, in the order of `points`; those of one moment and step share a line."""
    lines: list[dict[str, Any]] = []
    for point in points:
        line = lines[-1] if lines else None
        if (
            line is None
            or point.key in line["metrics"]
            or (line["step"], line["ms"], line["told"]) != (point.step, point.time, point.told)
        ):
            line = {"step": point.step, "ms": point.time, "told": point.told, "metrics": {}}
            lines.append(line)
        finite = math.isfinite(point.value)
        line["metrics"][point.key] = point.value if finite else None
        if not finite:
            line.setdefault("words", {})[point.key] = repr(float(point.value))
    return b"".join(_line(line) for line in lines)


def _line(line: dict[str, Any]) -> bytes:
    told, time = line.pop("told"), line.pop("ms")
    shown = {"step": line["step"], "time": time / 1000, **line} | ({"told": told} if told else {})
    return json.dumps(shown, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def read(data: bytes) -> list[Point]:
    """Return the points that the lines say; a line that is none of ours says nothing."""
    found: list[Point] = []
    for line in data.split(b"\n"):
        try:
            value = json.loads(line)
            words, told = value.get("words", {}), tuple(value.get("told", ()))
            time, step = round(value["time"] * 1000), int(value["step"])
            for key, number in value.get("metrics", {}).items():
                told_as = words.get(key, "nan") if number is None else number
                found.append(Point(key, float(told_as), time, step, told))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found
