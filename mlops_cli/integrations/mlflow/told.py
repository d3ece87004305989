"""Things of MLflow as records of the ledger, and back, with nothing lost on the way.

A run is a record of kind `run`; all else of MLflow that changes is one of kind `mlflow`, of which
the last counts. See docs/formats/mlflow.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.integrations.mlflow import series
from mlops_cli.integrations.mlflow.entity import Entity, Point, kind_of
from mlops_cli.integrations.mlflow.values import moment, typed, untyped
from mlops_cli.ledger.record import Code, Record, plain, record, timestamp

STEP_KIND = "mlflow"
LONG = 2000  # characters of a text that stands in a record; a longer one goes to the cache
_STATUS = {"FINISHED": "done", "FAILED": "failed", "KILLED": "killed"}
_BACK = {ours: theirs for theirs, ours in _STATUS.items()}

Keep = Callable[[bytes], str]
Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Origin:
    """What a record says beside the thing itself."""

    actor: str
    code: Code | None = None
    source: Mapping[str, Any] | None = None  # of an import: where it was read
    former: Record | None = None  # the record of which this is a later state

    @property
    def replaces(self) -> dict[str, Any]:
        """How a record names the one of which it is a later state."""
        return {"replaces": str(self.former.digest)} if self.former is not None else {}

    def after(self, time: datetime) -> datetime:
        """Return `time`, or the moment behind the former record if that is later."""
        if self.former is None:
            return time
        before = datetime.fromisoformat(str(self.former["time"]))
        return max(time, before + timedelta(milliseconds=1))


def run_record(
    run: Entity,
    origin: Origin,
    *,
    experiment: str,
    keep: Keep,
    artifacts: str | None = None,
    outputs: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Record:
    """Return the record of a run that ended. `outputs`: model → its tree."""
    start, end = run.facts.get("start"), run.facts.get("end")
    began = moment(start if start is not None else end)
    seconds = round((end - start) / 1000, 3) if start is not None and end is not None else None
    latest = run.latest()
    told = {
        **_state(run, keep),
        "latest": {key: _latest(point) for key, point in latest.items()},
        **({"source": dict(origin.source)} if origin.source else {}),
        **(more or {}),
    }
    return record(
        "run",
        time=origin.after(moment(end if end is not None else start)),
        actor=origin.actor,
        code=origin.code,
        run=run.id,
        parents=list(origin.replaces.values()),
        step="".join(letter if letter.isprintable() else "?" for letter in experiment),
        step_kind=STEP_KIND,
        key=None,
        status=_STATUS.get(str(run.facts.get("status")), "killed"),
        started=timestamp(began),
        seconds=seconds,
        inputs={},
        outputs=dict(outputs or {}),
        params={name: typed(text) for name, text in run.params.items() if len(text) <= LONG},
        metrics={key: point.value for key, point in latest.items()},
        facts={},
        environment=None,
        log=None,
        **({"series": keep(series.write(run.points))} if run.points else {}),
        **({"artifacts": artifacts} if artifacts else {}),
        **origin.replaces,
        mlflow=told,
    )


def thing_record(
    thing: Entity, origin: Origin, *, time: datetime, keep: Keep, artifacts: str | None = None
) -> Record:
    """Return the record of anything else as it stands."""
    latest = thing.latest()
    return record(
        "mlflow",
        time=origin.after(time),
        actor=origin.actor,
        code=None,
        run=None,
        of=thing.kind,
        model=thing.id,
        params={name: typed(text) for name, text in thing.params.items() if len(text) <= LONG},
        metrics={key: point.value for key, point in latest.items()},
        mlflow={
            **_state(thing, keep),
            "latest": {key: _latest(point) for key, point in latest.items()},
            **({"source": dict(origin.source)} if origin.source else {}),
        },
        **({"series": keep(series.write(thing.points))} if thing.points else {}),
        **({"artifacts": artifacts} if artifacts else {}),
        **origin.replaces,
    )


def thing_of(told: Record, read: Read | None = None, *, points: bool = False) -> Entity:
    """Return the thing that a record tells of. `read` gives bytes of the cache: its long texts,
    and with `points` all points; else it has the last point of each metric."""
    mlflow = told["mlflow"] if isinstance(told["mlflow"], Mapping) else {}
    kind = "run" if told.kind == "run" else kind_of(str(told["of"]))
    facts = dict(mlflow.get("facts", {}))
    if kind == "run":
        facts.setdefault("status", _BACK.get(str(told["status"]), "FINISHED"))
    thing = Entity(kind, str(told["run"] if kind == "run" else told["model"]), facts)
    thing.params = {name: untyped(value) for name, value in (told["params"] or {}).items()}
    thing.tags = {str(name): str(text) for name, text in mlflow.get("tags", {}).items()}
    for where, texts in (mlflow.get("long") or {}).items():
        held = thing.params if where == "params" else thing.tags
        for name, digest in texts.items():
            held[name] = read(digest).decode("utf-8", "surrogatepass") if read else f"({digest})"
    thing.inputs = [_long(one, read) for one in mlflow.get("inputs", [])]
    thing.outputs = list(mlflow.get("outputs", []))
    if read and points and told["series"]:
        thing.points = series.read(read(told["series"]))
    else:
        thing.points = [
            Point(key, float(rest[0] if rest else told["metrics"][key]), time, step)
            for key, (step, time, *rest) in mlflow.get("latest", {}).items()
        ]
    return thing


def same(one: Record, other: Record) -> bool:
    """Return whether two records tell the same, whoever wrote them and in what order."""
    return _bare(one) == _bare(other)


def _state(thing: Entity, keep: Keep) -> dict[str, Any]:
    """Return what is plain of a thing; long texts go to the cache, and their digests stay."""
    long: dict[str, dict[str, str]] = {}
    for where, texts in (("params", thing.params), ("tags", thing.tags)):
        for name, text in texts.items():
            if len(text) > LONG:
                data = text.encode("utf-8", "surrogatepass")
                long.setdefault(where, {})[name] = keep(data)
    state: dict[str, Any] = {
        "facts": {name: value for name, value in thing.facts.items() if name != "artifacts"},
        "tags": {name: text for name, text in thing.tags.items() if len(text) <= LONG},
        "inputs": [_short(one, keep) for one in thing.inputs],
        "outputs": thing.outputs,
        "long": long,
    }
    return {name: value for name, value in state.items() if value}


def _short(one: Mapping[str, Any], keep: Keep) -> dict[str, Any]:
    """Return an input whose long texts (the schema of a dataset) lie in the cache."""
    found = dict(one)
    for name, text in one.items():
        if isinstance(text, str) and len(text) > LONG:
            found[name] = {"digest": keep(text.encode("utf-8", "surrogatepass"))}
    return found


def _long(one: Mapping[str, Any], read: Read | None) -> dict[str, Any]:
    """Return the input that `_short` was given."""
    return {
        name: read(value["digest"]).decode("utf-8", "surrogatepass")
        if read and isinstance(value, Mapping) and "digest" in value
        else value
        for name, value in one.items()
    }


def _latest(point: Point) -> list[Any]:
    word = [] if math.isfinite(point.value) else [repr(float(point.value))]
    return [point.step, point.time, *word]


def _bare(told: Record) -> bytes:
    left_out = ("actor", "code", "time", "parents", "replaces")
    return canonical_json(plain({k: v for k, v in told.body.items() if k not in left_out}))
