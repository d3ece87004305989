"""From the id of one prediction to the model that gave it, and so to all that is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mlops_cli.cli.render.text import count
from mlops_cli.ledger import lineage
from mlops_cli.ledger.graph import Graph, Node, joined
from mlops_cli.ledger.links import Edge

if TYPE_CHECKING:
    from mlops_cli.ledger.index import Index
    from mlops_cli.project import Project
    from mlops_cli.serving.answers import Answer


def look_up(project: Project, index: Index, request_id: str) -> tuple[Sequence[Answer], list[str]]:
    """Return the answers to the request of this id, and warnings about what could not be read."""
    if not any(index.newest("deployment", limit=1)) and not _logs(project):
        return [], []
    from mlops_cli.serving import answers

    found = answers.find(project.root, project.cache, index, request_id)
    if not found.absent:
        return found.answers, []
    where = f"{count(len(found.absent), 'segment')} of the prediction log could not be read"
    return found.answers, [f"{where}; mlops pull brings what a remote has."]


def graph(
    index: Index, answers: Sequence[Answer], direction: str, *, until: str | None = None
) -> Graph:
    """Return the lineage of `answers`, each of which is a node of its own."""
    parts: list[Graph] = []
    nodes: list[Node] = []
    edges: list[Edge] = []
    for one in answers:
        me = node_of(one)
        nodes.append(_node(one))
        served = lineage.deployment_of(index, one.environment, one.model, one.received)
        if direction != "down":
            starts = [one.model, *([served] if served else [])]
            parts.append(lineage.up(index, *starts, until=until))
            edges.append(Edge(one.model, me, "predicted", one.variant))
            if served:
                edges.append(Edge(served, me, "answered", one.environment, "time"))
        if direction != "up" and one.segment:
            parts.append(lineage.down(index, one.segment, until=until))
            edges.append(Edge(me, one.segment, "logged"))
    return joined(*parts, nodes=nodes, edges=edges)


def node_of(one: Answer) -> str:
    """Return the name of an answer as a node: a request may have one from each variant."""
    return f"prediction:{one.environment}/{one.variant}/{one.request_id}"


def plain(one: Answer) -> dict[str, Any]:
    """Return the answer as plain values; what it was asked with stays in the log."""
    return asdict(one)


def _node(one: Answer) -> Node:
    facts = {
        "environment": one.environment,
        "request": one.request_id,
        "version": one.version,
        "variant": one.variant,
        "score": one.score,
        "received": one.received,
        "segment": one.segment,
    }
    return Node(node_of(one), "prediction", one.request_id, one.time, "log", facts=facts)


def _logs(project: Project) -> bool:
    return any((project.root / ".mlops" / "predictions").glob("*/*/*.arrows"))
