"""Records of the ledger as OpenLineage events: what ran, what it read, what it made.

https://openlineage.io/spec/2-0-2/OpenLineage.json. Every record is a run of a job; its id is
derived from the digest of the record, so that sending twice tells nothing new.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli import __version__
from mlops_cli.ledger.record import Record

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
FACETS = "https://openlineage.io/spec/facets"
PRODUCER = f"urn:mlops-cli:{__version__}"
_IDS = uuid.UUID("5bd1b0a6-8a1f-5c7e-9d7e-3f6c2b9a4e10")  # of ours alone: names become run ids
_ENDED = {"failed": "FAIL", "killed": "ABORT"}  # else COMPLETE
_MORE = ("key", "params", "metrics", "verdict", "action", "because", "reason", "result")

Find = Callable[[str], Record | None]
Data = tuple[str, str]  # name, version


@dataclass(frozen=True, slots=True)
class Place:
    """Whose events these are: the namespace of jobs and data, and the repository (an http URL)."""

    namespace: str
    repository: str | None = None


def events(record: Record, place: Place, find: Find) -> Iterator[dict[str, Any]]:
    """Yield the events of one record: START and how it ended. `find` has other records."""
    run = {"runId": run_id(str(record.digest)), "facets": dict(_run_facets(record, place))}
    job = {
        "namespace": place.namespace,
        "name": _job(record),
        "facets": dict(_job_facets(record, place)),
    }
    began = str(record["started"] or record["time"])
    inputs = [_dataset(place, *each) for each in dict.fromkeys(_inputs(record, find))]
    outputs = [_dataset(place, *each) for each in dict.fromkeys(_outputs(record))]
    common = {"run": run, "job": job, "producer": PRODUCER, "schemaURL": f"{SPEC}#/$defs/RunEvent"}
    yield {"eventType": "START", "eventTime": began, **common, "inputs": inputs, "outputs": []}
    ended = _ENDED.get(str(record["status"]), "COMPLETE")
    told = {"inputs": inputs, "outputs": outputs}
    yield {"eventType": ended, "eventTime": str(record["time"]), **common, **told}


def run_id(name: str) -> str:
    """Return the id under which the record of this digest, or the `mlops run`, is told of."""
    return str(uuid.uuid5(_IDS, name))


def _job(record: Record) -> str:
    one = record.__getitem__
    names: dict[str, Callable[[], str]] = {
        "run": lambda: str(one("step")),
        "register": lambda: f"register {one('model')}",
        "promotion": lambda: f"promote {one('model')}@{one('alias')}",
        "deployment": lambda: f"deploy {one('environment')}",
        "predictions": lambda: f"predict {one('deployment')}",
        "check": lambda: f"monitor {one('monitor')}",
        "decision": lambda: f"decide {one('monitor')}",
        "evaluation": lambda: f"evaluate {one('model')}",
    }
    return names[record.kind]() if record.kind in names else record.kind


def _inputs(record: Record, find: Find) -> Iterator[Data]:
    one = record.__getitem__
    yield from _paths(one("inputs"))
    yield from _paths(one("labels"))
    if record.kind == "register" and isinstance(one("run"), str):
        made = find(one("run"))
        yield from _paths(made["outputs"] if made else None)
    if record.kind in ("promotion", "deployment") and one("version") is not None:
        yield f"models/{one('model')}", f"v{one('version')}"
    if record.kind == "predictions":
        for digest in _texts(one("models")):
            yield f"served/{one('deployment')}", digest
    if record.kind == "check":
        for digest in _texts(one("predictions")):
            yield f"predictions/{one('environment')}", digest
    if record.kind == "evaluation":
        for role in ("challenger", "champion"):
            side = one(role)
            if isinstance(side, Mapping) and isinstance(side.get("version"), int):
                yield f"models/{one('model')}", f"v{side['version']}"
    for digest in _texts(one("parents")):
        if (parent := find(digest)) is not None:
            yield from (each for each in _outputs(parent) if parent.kind != "run")


def _outputs(record: Record) -> Iterator[Data]:
    one = record.__getitem__
    yield from _paths(one("outputs"))
    made: dict[str, Callable[[], Data]] = {
        "register": lambda: (f"models/{one('model')}", f"v{one('version')}"),
        "promotion": lambda: (f"aliases/{one('model')}/{one('alias')}", str(one("event"))),
        "deployment": lambda: (f"served/{one('environment')}", str(one("digest"))),
        "predictions": lambda: (f"predictions/{one('deployment')}", str(one("segment"))),
        "check": lambda: (f"checks/{one('monitor')}", str(record.digest)),
        "decision": lambda: (f"decisions/{one('monitor')}", str(record.digest)),
        "evaluation": lambda: (f"evaluations/{one('model')}", str(record.digest)),
    }
    if record.kind in made:
        yield made[record.kind]()


def _paths(value: Any) -> Iterator[Data]:
    if isinstance(value, Mapping):
        yield from ((str(path), digest) for path, digest in value.items() if _is_text(digest))


def _dataset(place: Place, name: str, version: str) -> dict[str, Any]:
    facet = _facet("DatasetVersionDatasetFacet", "1-0-1", datasetVersion=version)
    return {"namespace": place.namespace, "name": name, "facets": {"version": facet}}


def _run_facets(record: Record, place: Place) -> Iterator[tuple[str, dict[str, Any]]]:
    if record.kind == "run" and _is_text(record["run"]):
        yield (
            "parent",
            _facet(
                "ParentRunFacet",
                "1-0-1",
                run={"runId": run_id(record["run"])},
                job={"namespace": place.namespace, "name": "mlops run"},
            ),
        )
    error = record["error"]
    if isinstance(error, Mapping):
        message = f"{error.get('message')} [{error.get('code')}]"
        told = {"message": message, "programmingLanguage": "Python"}
        yield "errorMessage", _facet("ErrorMessageRunFacet", "1-0-1", **told)
    yield (
        "processing_engine",
        _facet(
            "ProcessingEngineRunFacet",
            "1-1-1",
            version=__version__,
            name="mlops",
            openlineageAdapterVersion=__version__,
        ),
    )
    more = {name: record[name] for name in _MORE if record[name] is not None}
    yield (
        "mlops_record",
        {
            "_producer": PRODUCER,
            "_schemaURL": f"{SPEC}#/$defs/RunFacet",
            "digest": str(record.digest),
            "kind": record.kind,
            "actor": record["actor"],
            "commit": _commit(record),
            "status": record["status"],
            **more,
        },
    )


def _job_facets(record: Record, place: Place) -> Iterator[tuple[str, dict[str, Any]]]:
    kind = str(record["step_kind"] or record.kind).upper()
    told = {"processingType": "BATCH", "integration": "MLOPS", "jobType": kind}
    yield "jobType", _facet("JobTypeJobFacet", "2-0-3", **told)
    commit = _commit(record)
    if place.repository and commit:
        url = place.repository
        told = {"type": "git", "url": url, "repoUrl": url, "version": commit}
        yield "sourceCodeLocation", _facet("SourceCodeLocationJobFacet", "1-0-1", **told)


def _facet(name: str, version: str, /, **fields: Any) -> dict[str, Any]:
    schema = f"{FACETS}/{version}/{name}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": schema, **fields}


def _commit(record: Record) -> str | None:
    code = record["code"]
    found = code.get("commit") if isinstance(code, Mapping) else None
    return found if _is_text(found) else None


def _texts(value: Any) -> list[str]:
    return [item for item in value if _is_text(item)] if isinstance(value, list) else []


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
