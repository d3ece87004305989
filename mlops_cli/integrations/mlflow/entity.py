"""What MLflow knows of one thing: an experiment, a run, a logged or registered model, a version.

One shape for all of them and for every source: a database, a folder, a journal of the plug-in, a
record of our ledger. A change is an operation, which is one line of a journal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Kind = Literal["experiment", "run", "logged-model", "model", "version"]
KINDS: tuple[Kind, ...] = ("experiment", "run", "logged-model", "model", "version")

DEFAULT_EXPERIMENT = "0"
ENDED = ("FINISHED", "FAILED", "KILLED")


class Point(NamedTuple):
    """One value of a metric; `time` in milliseconds. `told` names the run, and the dataset with
    its digest, that a metric of a logged model belongs to."""

    key: str
    value: float
    time: int
    step: int
    told: tuple[str | None, ...] = ()


class File(NamedTuple):
    """An artifact: what it holds, in the cache."""

    digest: str
    size: int


@dataclass(slots=True)
class Entity:
    """One thing of MLflow as it stands; `facts` are the fields of its own that are plain."""

    kind: Kind
    id: str
    facts: dict[str, Any] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    inputs: list[dict[str, Any]] = field(default_factory=list)  # datasets and models
    outputs: list[dict[str, Any]] = field(default_factory=list)  # logged models
    files: dict[str, File] = field(default_factory=dict)

    @property
    def deleted(self) -> bool:
        """Whether MLflow has it among what was deleted."""
        return self.facts.get("lifecycle") == "deleted"

    @property
    def ended(self) -> bool:
        """Whether nothing more is expected of it: only a run can be under way."""
        return self.kind != "run" or self.facts.get("status") in ENDED

    def latest(self) -> dict[str, Point]:
        """Return metric → the point that MLflow shows: the greatest step, time and value."""
        found: dict[str, Point] = {}
        for point in self.points:
            there = found.get(point.key)
            if there is None or _order(point) >= _order(there):
                found[point.key] = point
        return found

    def apply(self, change: Mapping[str, Any]) -> None:
        """Take one operation, as `change` or the readers make it. Unknown ones say nothing."""
        self.facts.update(change.get("set", {}))
        self.params.update(change.get("params", {}))
        self.tags.update(change.get("tags", {}))
        for name in change.get("untag", ()):
            self.tags.pop(name, None)
        for one in change.get("points", ()):
            self.points.append(point_of(one))
        for one in change.get("inputs", ()):
            _add(self.inputs, one)
        for one in change.get("outputs", ()):
            _add(self.outputs, one)
        for path, (digest, size) in change.get("files", {}).items():
            self.files[path] = File(digest, size)


def change(**parts: Any) -> dict[str, Any]:
    """Return an operation as plain JSON: set, params, tags, untag, points, inputs, outputs,
    files."""
    found = {name: part for name, part in parts.items() if part}
    if points := found.get("points"):
        found["points"] = [plain_point(one) for one in points]
    if files := found.get("files"):
        found["files"] = {path: list(file) for path, file in files.items()}
    return found


def plain_point(point: Point) -> list[Any]:
    """Return the point as JSON has it: a number that JSON has not is a word."""
    value = point.value if math.isfinite(point.value) else repr(float(point.value))
    return [point.key, value, point.time, point.step, *([list(point.told)] if point.told else [])]


def point_of(plain: list[Any]) -> Point:
    """Return the point that `plain_point` made."""
    key, value, time, step, *told = plain
    return Point(key, float(value), int(time), int(step), tuple(told[0]) if told else ())


def kind_of(text: str) -> Kind:
    """Return the kind that `text` names. Raises ValueError."""
    if text not in KINDS:
        raise ValueError(f"there is no kind of thing {text!r} in MLflow")
    return text


def _add(known: list[dict[str, Any]], one: dict[str, Any]) -> None:
    """Add an input or output; one of the same kind, id and digest replaces it."""
    same = [i for i, each in enumerate(known) if _identity(each) == _identity(one)]
    if same:
        known[same[0]] = one
    else:
        known.append(one)


def _identity(one: Mapping[str, Any]) -> tuple[Any, ...]:
    return one.get("type"), one.get("id"), one.get("name"), one.get("digest"), one.get("step")


def _order(point: Point) -> tuple[int, int, float]:
    value = point.value
    return point.step, point.time, -math.inf if math.isnan(value) else value
