"""A name followed to its origins and its use, with all that a screen or a document shows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.cli import places
from mlops_cli.cli.render import lineage as pages
from mlops_cli.cli.things import Names, Thing
from mlops_cli.ledger import brief, lineage
from mlops_cli.ledger.graph import MISMATCH, Graph, Node
from mlops_cli.ledger.index import open_index
from mlops_cli.registry.holdings import Holdings, gathered
from mlops_cli.registry.registry import Registry
from mlops_cli.vcs import tags

if TYPE_CHECKING:
    from mlops_cli.project import Project
    from mlops_cli.vcs.repo import Git

Walk = Callable[..., Graph]
WALKS: dict[str, Walk] = {"up": lineage.up, "down": lineage.down, "both": lineage.both}


@dataclass(frozen=True, slots=True)
class Traced:
    """What was followed from a name, ready to be shown."""

    graph: Graph
    starts: list[str]
    data: dict[str, Any]
    warnings: list[str]

    def tree(self) -> str:
        """Return it as a person reads it."""
        return pages.tree(self.graph, self.starts, self.data)


def trace(
    project: Project,
    name: str,
    cwd: Path,
    direction: str = "both",
    *,
    until: str | None = None,
    row: str | None = None,
) -> Traced:
    """Follow `name`, read as a path relative to `cwd` where it is one. Raises NotFound.

    `until` shows what stood at that moment; `row` narrows data to what holds the row of this key.
    """
    from mlops_cli.cli import answered, holding, inside

    answers: list[Any] = []
    rows: list[dict[str, Any]] = []
    within: list[dict[str, Any]] = []
    with open_index(project.git) as index:
        names = Names(project.git, index, Registry(project.git), project.root, cwd, until)
        warnings = [f"{why}; it is left out." for why in index.damaged().values()]
        if row is not None:
            rows, lost = holding.found(project, index, name, row, until=until)
            warnings += lost
            thing = Thing([each["digest"] for each in rows])
        else:

            def asked() -> Thing | None:
                held, lost = inside.found(project, index, name, cwd, until=until)
                warnings.extend(lost)
                if held is not None:
                    within.append(held)
                    return Thing(held["versions"])
                found, lost = answered.look_up(project, index, name)
                answers.extend(found)
                warnings.extend(lost)
                return Thing([answered.node_of(one) for one in found]) if found else None

            thing = names.thing(name, asked)
        walk = WALKS[direction]
        making: Graph | None = None
        if answers:
            graph = answered.graph(index, answers, direction, until=until)
            models = sorted({one.model for one in answers})
            making = lineage.making(index, *models, until=until)
        else:
            graph = walk(index, *thing.starts, until=until)
            if thing.version is not None:
                making = lineage.making(index, *thing.starts, until=until)
        held = held_by(project.git, graph)
        found = places.confirmed(graph, project.cache, project.git, held)
    warnings += _contradictions(found)
    data = {
        "name": name,
        "at": until,
        "starts": thing.starts,
        "direction": direction,
        "nodes": [_plain(node, held) for node in found.nodes.values()],
        "edges": [
            {
                "from": e.source,
                "to": e.target,
                "relation": e.relation,
                "name": e.name,
                "by": e.by,
                "state": e.state,
            }
            for e in found.edges
        ],
        "uses": brief.uses(found, thing.starts),
        "origin": brief.origin(making, found) if making else None,
        "answers": [answered.plain(one) for one in answers],
        "rows": rows,
        "within": within[0] if within else None,
    }
    return Traced(found, thing.starts, data, warnings)


def held_by(git: Git, graph: Graph) -> dict[str, Holdings]:
    """Return what the tags say of the versions and alias events in `graph`, and no others."""
    wanted: dict[str, set[str]] = {}
    for node in graph.nodes.values():
        model = str(node.facts.get("model"))
        if node.kind == "version":
            wanted.setdefault(model, set()).add(f"mlops/{model}/v{node.facts.get('version')}")
        elif node.kind == "promotion":
            event = f"mlops/{model}/@{node.facts.get('alias')}/{node.facts.get('event')}"
            wanted.setdefault(model, set()).add(event)
    found = {
        name: oid
        for model, each in wanted.items()
        for name, oid in tags.names(git, f"mlops/{model}/").items()
        if name in each
    }
    return gathered(tags.read(git, found))


def _contradictions(graph: Graph) -> Iterator[str]:
    for node in graph.nodes.values():
        if node.state == MISMATCH:
            yield f"the record of {node.label} is not what its tag or its digest says."


def _plain(node: Node, held: dict[str, Holdings]) -> dict[str, Any]:
    tag = places.tag_of(node, held)
    return {
        "id": node.id,
        "kind": node.kind,
        "label": node.label,
        "digest": node.id if node.id.startswith("sha256:") else None,
        "place": node.place,
        "state": node.state,
        "time": node.time or None,
        "facts": dict(node.facts),
        "tag": {"name": tag.tag, "object": f"git:{tag.tag_id}"} if tag else None,
    }
