"""A lineage in brief: what a model was made of; which models, aliases and places used a thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlops_cli.ledger.graph import Graph, Node

_USE = ("input", "code", "output", "made", "evaluated", "registered", "promoted", "deployed")


def origin(made: Graph, graph: Graph) -> dict[str, Any]:
    """Return version, run, commit, raw data, code and params behind a model; `made` is its
    `making`, `graph` has what is confirmed of it and which version it became."""
    sources = {edge.source for edge in made.edges if edge.relation == "made"}
    targets = {edge.target for edge in made.edges}
    run = next((node for name, node in made.nodes.items() if name in sources), None)
    facts: Mapping[str, Any] = run.facts if run else {}
    models = {name for name, node in made.nodes.items() if node.kind == "model"}
    versions = [node for node in graph.nodes.values() if node.kind == "version"]
    version = next((node for node in versions if node.facts.get("digest") in models), None)
    return {
        "version": {"name": version.label, "record": version.id} if version else None,
        "run": {"record": run.id, "id": facts.get("run"), "step": run.label, "time": run.time}
        if run
        else None,
        "commit": facts.get("commit"),
        "dirty": list(facts.get("dirty") or ()),
        "params": dict(facts.get("params") or {}),
        "data": [
            _bytes(graph.nodes.get(node.id, node))
            for node in made.nodes.values()
            if node.kind == "data" and node.id not in targets
        ],
        "code": [
            _bytes(graph.nodes.get(node.id, node))
            for node in made.nodes.values()
            if node.kind == "code"
        ],
    }


def uses(graph: Graph, starts: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Return every model, alias event and deployment that was made of `starts` or tested with
    them, oldest first.

    Not what a decision about them led to: a retrained model need not have seen them.
    """
    below = _made_of(graph, starts)
    return {
        "models": [
            {"name": node.label, "record": node.id, "time": node.time}
            for node in _of(below, "version")
        ],
        "aliases": [
            {
                "name": f"{node.facts.get('model')}@{node.facts.get('alias')}",
                "version": node.facts.get("version"),
                "event": node.facts.get("event"),
                "record": node.id,
                "time": node.time,
            }
            for node in _of(below, "promotion")
        ],
        "deployments": [
            {
                "environment": node.facts.get("environment"),
                "model": node.facts.get("model"),
                "version": node.facts.get("version"),
                "action": node.facts.get("action"),
                "record": node.id,
                "time": node.time,
            }
            for node in _of(below, "deployment")
        ],
    }


def _made_of(graph: Graph, starts: Iterable[str]) -> list[Node]:
    after: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.relation in _USE:
            after.setdefault(edge.source, []).append(edge.target)
    seen = {name for name in starts if name in graph.nodes}
    queue = list(seen)
    while queue:
        new = set(after.get(queue.pop(), ())) - seen
        seen |= new
        queue += new
    return [node for name, node in graph.nodes.items() if name in seen]


def _of(nodes: Iterable[Node], kind: str) -> list[Node]:
    found = [node for node in nodes if node.kind == kind]
    return sorted(found, key=lambda node: (node.time, node.id))


def _bytes(node: Node) -> dict[str, str]:
    return {"path": node.label, "digest": node.id, "state": node.state}
