"""A lineage as nodes and edges: each node named for people, causes before effects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_cli.ledger.links import Edge
from mlops_cli.ledger.record import Record

Find = Callable[[str], Record | None]

# how far a link is confirmed here: its record or tag, its bytes (not read again), or neither
VERIFIED, PRESENT, MISSING, MISMATCH = "refs-verified", "bytes-present", "missing", "mismatch"
RECORD_KIND = {"register": "version"}
_OUTPUT_KIND = {
    "validate": "report",
    "feature": "features",
    "dataset": "dataset",
    "train": "trained",
    "evaluate": "metrics",
}
_RECORDS = ("caused", "decided", "evaluated", "promoted", "retired", "deployed", "answered")


@dataclass(frozen=True, slots=True)
class Node:
    """One link: `place` is where its bytes can be confirmed, "ledger", "tags" or "cache"; `state`
    is what came of that, once somebody looked.
    """

    id: str
    kind: str
    label: str
    time: str = ""
    place: str = "cache"
    state: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by digest, and edges from cause to effect among them; causes come first."""

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]


def build(
    find: Find, makers: Callable[[str], list[Edge]], ids: Iterable[str], edges: Iterable[Edge]
) -> Graph:
    """Return the graph of the digests `ids`, which are the ends of `edges`.

    `find` has records; `makers` tells what made bytes, also where that is no part of the graph.
    """
    edges = list(dict.fromkeys(edges))
    near: dict[str, list[Edge]] = {name: [] for name in ids}
    for edge in edges:
        near[edge.source].append(edge)
        near[edge.target].append(edge)
    nodes = {
        name: _node(find, name, around)
        if find(name) is not None or any(edge.relation == "output" for edge in around)
        else _node(find, name, [*around, *makers(name)])
        for name, around in near.items()
    }
    order = _order(nodes, edges)
    return Graph({name: nodes[name] for name in order}, tuple(edges))


def joined(*graphs: Graph, nodes: Iterable[Node] = (), edges: Iterable[Edge] = ()) -> Graph:
    """Return `graphs` as one, and `nodes` and `edges` with them."""
    every = {name: node for graph in graphs for name, node in graph.nodes.items()}
    every |= {node.id: node for node in nodes}
    all_edges = dict.fromkeys([*(e for graph in graphs for e in graph.edges), *edges])
    order = _order(every, all_edges)
    return Graph({name: every[name] for name in order}, tuple(all_edges))


def _node(find: Find, name: str, near: list[Edge]) -> Node:
    record = find(name)
    if record is not None:
        kind = RECORD_KIND.get(record.kind, record.kind)
        state = VERIFIED if record.digest == name else MISMATCH  # the index is only a cache
        when = str(record["time"])
        return Node(name, kind, _label(record), when, "ledger", state, _facts(record))
    if name.startswith("version:"):
        model, _, number = name.removeprefix("version:").partition("/")
        facts = {"model": model, "version": int(number) if number.isdigit() else number}
        return Node(name, "version", f"{model}@v{number}", "", "tags", facts=facts)
    if any(edge.relation in _RECORDS and edge.source == name for edge in near):
        return Node(
            name, "record", name, state=MISSING
        )  # a record names it, and no ref that is here has it
    return _bytes(find, name, near)


def _bytes(find: Find, name: str, near: list[Edge]) -> Node:
    kind, label, time = "data", "", ""
    for edge in near:
        label = label or edge.name
        if edge.relation == "output" and edge.target == name:
            maker = find(edge.source)
            kind = _OUTPUT_KIND.get(str(maker["step_kind"]), "output") if maker else "output"
            time = str(maker["time"]) if maker else ""
            label = edge.name
        elif edge.relation in ("made", "registered"):
            kind, label = edge.name, edge.name
        elif edge.relation == "code":
            kind = "code"
        elif edge.relation in ("logged", "checked") and edge.source != name:
            kind, label = "segment", "prediction log"
        elif edge.relation == "profile" and kind == "data":
            kind, label = "profile", "training profile"
    return Node(name, kind, label or name, time)


def _label(record: Record) -> str:
    one = record.__getitem__
    labels: dict[str, Callable[[], str]] = {
        "run": lambda: str(one("step")),
        "register": lambda: f"{one('model')}@v{one('version')}",
        "promotion": lambda: f"{one('model')}@{one('alias')} is {_meant(one('version'))}",
        "deployment": lambda: (
            f"{one('environment')} {one('action')}: {one('model')}@v{one('version')}"
        ),
        "predictions": lambda: f"{one('deployment')}, {_count(one('rows'))} rows",
        "check": lambda: f"{one('monitor')}: {one('verdict')}",
        "decision": lambda: f"{one('monitor')}: {one('action')}",
        "evaluation": lambda: f"{one('metric')}: {one('verdict')}",
    }
    return labels[record.kind]() if record.kind in labels else record.kind


def _meant(version: Any) -> str:
    return "retired" if version is None else f"v{version}"


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


_FACTS = {
    "run": ("run", "step_kind", "status", "seconds", "params", "metrics", "log", "error"),
    "register": ("model", "version", "digest", "bundle", "metrics"),
    "promotion": ("model", "alias", "event", "version", "digest", "reason"),
    "deployment": ("environment", "model", "version", "digest", "action", "url"),
    "predictions": ("deployment", "segment", "rows", "start", "end", "models"),
    "check": ("monitor", "window", "verdict"),
    "decision": ("monitor", "action", "because", "run"),
    "evaluation": ("metric", "result", "verdict"),
}


def _facts(record: Record) -> dict[str, Any]:
    facts = {name: record[name] for name in _FACTS.get(record.kind, ()) if record[name] is not None}
    code = record["code"]
    if isinstance(code, Mapping) and isinstance(code.get("commit"), str):
        facts["commit"] = code["commit"]
        if code.get("dirty"):
            facts["dirty"] = code["dirty"]
    if record["actor"]:
        facts["actor"] = record["actor"]
    return facts


def _order(nodes: Mapping[str, Node], edges: Iterable[Edge]) -> list[str]:
    """Return the nodes with causes first and older ones before younger; a circle is cut."""
    before: dict[str, list[str]] = {name: [] for name in nodes}
    for edge in edges:
        before[edge.target].append(edge.source)
    done: dict[str, None] = {}
    entered: set[str] = set()
    for root in sorted(nodes, key=lambda name: (nodes[name].time or "9", name)):
        stack = [(root, False)]
        while stack:
            name, ready = stack.pop()
            if ready:
                done[name] = None
            elif name not in entered:
                entered.add(name)
                stack.append((name, True))
                causes = sorted(before[name], key=lambda n: (nodes[n].time, n), reverse=True)
                stack += [(cause, False) for cause in causes if cause not in entered]
    return list(done)
