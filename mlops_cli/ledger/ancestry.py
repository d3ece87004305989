"""What changed between the makings of two versions: data, code, params, environment, metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.ledger.graph import Graph
from mlops_cli.ledger.record import Record

ASPECTS = ("data", "code", "params", "environment", "steps", "metrics")
_ENVIRONMENT = ("python", "platform", "image", "cpu.model", "gpu", "blas", "torch", "packages")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs: `before` or `after` is None where it was not there."""

    aspect: str
    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Making:
    """What one version was made of: aspect → name → value, and the commits of its runs."""

    aspects: Mapping[str, Mapping[str, Any]]
    commits: tuple[str, ...]


def making(
    graph: Graph, find: Callable[[str], Record | None], metrics: Mapping[str, Any]
) -> Making:
    """Return what stands in `graph` (of `lineage.making`), with the records that `find` has."""
    made = {edge.target for edge in graph.edges if edge.relation == "output"}
    data: dict[str, str] = {}
    code: dict[str, str] = {}
    for edge in graph.edges:
        if edge.relation == "input" and edge.source not in made:
            data[edge.name] = edge.source
        elif edge.relation == "code":
            code[edge.name] = edge.source
    params: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    steps: dict[str, str] = {}
    commits: dict[str, None] = {}
    for name in graph.nodes:
        record = find(name)
        if record is None or record.kind != "run":
            continue
        step = str(record["step"])
        steps[step] = str(record["step_kind"])
        params |= {f"{step} {key}": value for key, value in _mapping(record["params"]).items()}
        environment |= dict(_environment(_mapping(record["environment"])))
        if commit := _mapping(record["code"]).get("commit"):
            commits[str(commit)] = None
    aspects = {
        "data": data,
        "code": code,
        "params": params,
        "environment": environment,
        "steps": steps,
        "metrics": dict(metrics),
    }
    return Making(aspects, tuple(commits))


def changes(before: Making, after: Making) -> list[Change]:
    """Return what differs, by aspect and then by name."""
    return [
        Change(aspect, name, old.get(name), new.get(name))
        for aspect in ASPECTS
        for old, new in [(before.aspects[aspect], after.aspects[aspect])]
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


def _environment(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in _ENVIRONMENT:
        head, _, rest = name.partition(".")
        value = told.get(head)
        if rest:
            value = _mapping(value).get(rest)
        if isinstance(value, Mapping):
            yield from ((f"{head} {key}", item) for key, item in value.items())
        elif value is not None:
            yield name.replace(".", " "), value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
