"""A lineage as W3C PROV-JSON: entities, activities, agents, and what joins them.

https://www.w3.org/submissions/2013/SUBM-prov-json-20130424/
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from mlops_cli.encode import canonical_json
from mlops_cli.ledger.graph import Graph, Node

PREFIX = "urn:mlops:"
ACTIVITIES = ("run", "promotion", "deployment", "predictions", "check", "decision", "evaluation")


def document(graph: Graph) -> dict[str, Any]:
    """Return the PROV-JSON document of `graph`; every node and edge is in it."""
    told: dict[str, dict[str, Any]] = {"prefix": {"mlops": PREFIX}}
    agents: dict[str, Any] = {}
    associated: dict[str, Any] = {}
    for node in graph.nodes.values():
        is_activity = node.kind in ACTIVITIES
        told.setdefault("activity" if is_activity else "entity", {})[_id(node.id)] = _about(node)
        actor = node.facts.get("actor")
        if actor and is_activity:
            agents[_id(f"agent/{actor}")] = {"prov:label": actor, "prov:type": _type("prov:Person")}
            ends = {"prov:activity": _id(node.id), "prov:agent": _id(f"agent/{actor}")}
            associated[f"_:a{len(associated)}"] = ends
    for number, edge in enumerate(graph.edges):
        source, target = _id(edge.source), _id(edge.target)
        made = graph.nodes[edge.source].kind in ACTIVITIES
        done = graph.nodes[edge.target].kind in ACTIVITIES
        if made and done:
            kind, ends = "wasInformedBy", {"prov:informed": target, "prov:informant": source}
        elif done:
            kind, ends = "used", {"prov:activity": target, "prov:entity": source}
        elif made:
            kind, ends = "wasGeneratedBy", {"prov:entity": target, "prov:activity": source}
        else:
            ends = {"prov:generatedEntity": target, "prov:usedEntity": source}
            kind = "wasDerivedFrom"
        more = {"mlops:relation": edge.relation, "mlops:by": edge.by, "mlops:state": edge.state}
        if edge.name:
            more["prov:role"] = edge.name
        if kind in ("wasInformedBy", "wasDerivedFrom"):
            more["mlops:role"] = more.pop("prov:role", "")
        told.setdefault(kind, {})[f"_:e{number}"] = {**ends, **{k: v for k, v in more.items() if v}}
    if agents:
        told |= {"agent": agents, "wasAssociatedWith": associated}
    return told


def _about(node: Node) -> dict[str, Any]:
    about: dict[str, Any] = {
        "prov:label": node.label,
        "prov:type": _type(f"mlops:{node.kind}"),
        "mlops:place": node.place,
        "mlops:state": node.state,
    }
    if node.id.startswith("sha256:"):
        about["mlops:digest"] = node.id
    if node.time:
        key = "prov:endTime" if node.kind in ACTIVITIES else "prov:generatedAtTime"
        about[key] = node.time
    for name, value in node.facts.items():
        plain = value if isinstance(value, str | bool | int | float) else None
        if plain is None and value is not None:
            plain = canonical_json(value).decode()
        if plain is not None:
            about.setdefault(f"mlops:{name}", plain)
    return about


def _id(name: str) -> str:
    """Return `name` as a qualified name: what may not stand in one, by its number."""
    return "mlops:" + quote(name.replace("sha256:", "sha256."), safe=".-_")


def _type(name: str) -> dict[str, str]:
    return {"$": name, "type": "prov:QUALIFIED_NAME"}
