"""What a record joins: edges from cause to effect, read off its fields and nothing else.

Some ends are names rather than digests, because a record may name a thing that another record
stands for: `version:<model>/<number>` (its register record), `event:<model>/<alias>/<number>` (the
promotion), `serving:<environment>/<digest>` (the deployment that served this model there).
`lineage` resolves them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.ledger.record import Record

DIGEST = "sha256:"
REPLACES = "replaces"  # the name of an edge from a record to a later state of the same run
_IS_DIGEST = re.compile(r"sha256:[0-9a-f]{64}").fullmatch


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` led to `target`; `name` is the path or role under which it did.

    `by` is how the two were joined: "digest" (one end names the other), "version" (by model and
    number), "time" (by what stood then). `state` is how far that is confirmed here, once asked.
    """

    source: str
    target: str
    relation: str
    name: str = ""
    by: str = "digest"
    state: str = ""


def version_key(model: Any, number: Any) -> str:
    """Return the name of a version as an end of an edge."""
    return f"version:{model}/{number}"


def event_key(model: Any, alias: Any, event: Any) -> str:
    """Return the name of an event of an alias as an end of an edge."""
    return f"event:{model}/{alias}/{event}"


def serving_key(environment: Any, digest: Any) -> str:
    """Return the name of a model that is served in an environment as an end of an edge."""
    return f"serving:{environment}/{digest}"


def edges(record: Record) -> list[Edge]:
    """Return the edges that `record` tells of."""
    me = str(record.digest)
    reader = _BY_KIND.get(record.kind)
    found = list(reader(record, me)) if reader is not None else []
    known = {edge.source for edge in found}
    parents = _list(record["parents"])
    found += [Edge(parent, me, "caused") for parent in parents if parent not in known]
    return list(dict.fromkeys(edge for edge in found if edge.source and edge.target))


def _run(record: Record, me: str) -> Iterator[Edge]:
    yield Edge(_digest(record["replaces"]), me, "replaced", REPLACES)
    for path, digest in _digests(record["inputs"]):
        yield Edge(digest, me, "input", path)
    for path, digest in _digests(record["sources"]):
        yield Edge(digest, me, "code", path)
    for path, digest in _digests(record["outputs"]):
        yield Edge(me, digest, "output", path)


def _evaluation(record: Record, me: str) -> Iterator[Edge]:
    if dataset := _digest(record["dataset"]):  # the folder that the rows lie in
        yield Edge(dataset, me, "rows", "test")
    else:
        yield Edge(_digest(record["rows"]), me, "rows")
    for role in ("challenger", "champion"):
        yield Edge(_digest(record[role]), me, role)


def _register(record: Record, me: str) -> Iterator[Edge]:
    model, run = _digest(record["digest"]), _digest(record["run"])
    yield Edge(run, model, "made", "model")
    yield Edge(model, me, "registered", "model")
    if bundle := _digest(record["bundle"]):
        yield Edge(run, bundle, "made", "bundle")
        yield Edge(bundle, me, "registered", "bundle")
    yield Edge(_digest(record["evaluated"]), me, "evaluated")


def _promotion(record: Record, me: str) -> Iterator[Edge]:
    if _names_version(record):
        yield Edge(version_key(record["model"], record["version"]), me, "promoted")
    elif isinstance(record["event"], int):  # retired: the alias means nothing any more
        former = event_key(record["model"], record["alias"], record["event"] - 1)
        yield Edge(former, me, "retired")


def _deployment(record: Record, me: str) -> Iterator[Edge]:
    if _names_version(record):
        yield Edge(version_key(record["model"], record["version"]), me, "deployed")
    for digest in (_digest(record["digest"]), *_list(record["challengers"])):
        yield Edge(me, serving_key(record["environment"], digest), "serves")


def _predictions(record: Record, me: str) -> Iterator[Edge]:
    yield Edge(_digest(record["deployed"]), me, "answered")
    for digest in _list(record["models"]):
        yield Edge(serving_key(record["deployment"], digest), me, "answered")
    yield Edge(me, _digest(record["segment"]), "logged")


def _check(record: Record, me: str) -> Iterator[Edge]:
    named = _list(record["predictions"])
    for digest in named:
        yield Edge(digest, me, "checked")
    if not named:
        for digest in _list(record["models"]):
            yield Edge(serving_key(record["environment"], digest), me, "watched")
    for path, digest in _digests(record["labels"]):
        yield Edge(digest, me, "labels", path)
    yield Edge(_digest(record["profile"]) or _digest(record["bundle"]), me, "profile")


def _decision(record: Record, me: str) -> Iterator[Edge]:
    yield Edge(_digest(record["check"]), me, "decided")


_BY_KIND = {
    "run": _run,
    "evaluation": _evaluation,
    "register": _register,
    "promotion": _promotion,
    "deployment": _deployment,
    "predictions": _predictions,
    "check": _check,
    "decision": _decision,
}


def _digests(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if digest := _digest(item):
                yield str(name), digest


def _names_version(record: Record) -> bool:
    return isinstance(record["model"], str) and isinstance(record["version"], int)


def _list(value: Any) -> list[str]:
    return [found for item in value if (found := _digest(item))] if isinstance(value, list) else []


def _digest(value: Any) -> str:
    """Return the digest that `value` is or holds, "" where it has none."""
    if isinstance(value, Mapping):
        value = value.get("digest")
    return value if isinstance(value, str) and _IS_DIGEST(value) else ""
