"""`mlops lineage`: where a thing came from, and what came of it, each link by its digest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, places
from mlops_cli.cli.render import lineage as pages
from mlops_cli.encode import parse_json
from mlops_cli.errors import NotFound, UsageError
from mlops_cli.ledger import lineage, query
from mlops_cli.ledger.graph import Graph, Node
from mlops_cli.ledger.index import Index, open_index
from mlops_cli.registry.holdings import Holdings
from mlops_cli.registry.registry import Registry

if TYPE_CHECKING:
    from mlops_cli.project import Project


class Form(StrEnum):
    tree = "tree"
    mermaid = "mermaid"


def command(
    name: Annotated[
        str,
        typer.Argument(help="delay@production, a data path, a run, a step, or a digest."),
    ],
    up: Annotated[bool, typer.Option("--up", help="Only what led to it.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what came of it.")] = False,
    graph: Annotated[Form, typer.Option("--graph", help="How to draw it.")] = Form.tree,
) -> int:
    """Follow a version, data, a run or any digest to its origins and to its use.

    Links are records of the ledger and bytes in cache or git, named by what is in them; digests
    are short on screen and whole under --json.
    """
    ctx = context.current()
    if up and down:
        raise UsageError(
            "--up and --down leave nothing out together", code="bad-options", hint="give neither"
        )
    walk = lineage.up if up else lineage.down if down else lineage.both
    traced = trace(ctx.project(), name, ctx.cwd, walk)
    data = traced.data | {"direction": "up" if up else "down" if down else "both"}
    human = traced.mermaid if graph is Form.mermaid else traced.tree
    return ctx.show(data, "mlops.lineage/1", human, traced.warnings)


@dataclass(frozen=True, slots=True)
class Traced:
    """What was followed from a name, ready to be shown."""

    graph: Graph
    starts: list[str]
    data: dict[str, Any]
    warnings: list[str]

    def tree(self) -> str:
        """Return it as a person reads it."""
        return pages.tree(self.graph, self.starts)

    def mermaid(self) -> str:
        """Return it as a page draws it."""
        return pages.mermaid(self.graph)


def trace(
    project: Project, name: str, cwd: Path, walk: Callable[..., Graph] = lineage.both
) -> Traced:
    """Follow `name`, read as a path relative to `cwd` where it is one. Raises NotFound."""
    registry = Registry(project.git)
    with open_index(project.git) as index:
        starts = _starts(name, index, registry, project.root, cwd)
        found = places.confirmed(walk(index, *starts), project.cache, project.git)
        warnings = [f"{why}; it is left out." for why in index.damaged().values()]
    holdings = registry.holdings()
    data = {
        "name": name,
        "starts": starts,
        "direction": "both",
        "nodes": [_plain(node, holdings) for node in found.nodes.values()],
        "edges": [
            {"from": e.source, "to": e.target, "relation": e.relation, "name": e.name}
            for e in found.edges
        ],
    }
    return Traced(found, starts, data, warnings)


def _starts(text: str, index: Index, registry: Registry, root: Path, cwd: Path) -> list[str]:
    """Return the digests that `text` means, the first way of reading it that leads somewhere."""
    model = text.partition("@")[0]
    held = registry.holdings()
    if ("@" in text and model in held) or text in held:
        version = registry.resolve(text)
        return lineage.start_of(
            index, version.model, version.number, digest=str(version.digest), run=version.run
        )
    for found in _readings(text, index, root, cwd):
        if found:
            return found
    raise NotFound(
        f"nothing is known of {text!r}",
        code="unknown-thing",
        hint="name a model (mlops models list), a run (mlops runs list), a data path or a digest",
    )


def _readings(text: str, index: Index, root: Path, cwd: Path) -> Iterator[list[str]]:
    path = Path(os.path.relpath(os.path.normpath(cwd / text), root)).as_posix()
    yield _pointed(root, path)
    named = index.named(path) or index.named(text)
    yield [named] if named else []
    if text.startswith("sha256:") and index.edges_to(text) + index.edges_from(text):
        yield [text]
    newest = [str(record.digest) for record in index.newest("run", step=text, limit=1)]
    yield newest
    try:
        yield [str(query.record(index, text).digest)]
    except (NotFound, UsageError):
        pass
    try:
        yield [str(record.digest) for record in query.run(index, text).records]
    except (NotFound, UsageError):
        pass


def _pointed(root: Path, path: str) -> list[str]:
    """Return the digest in the pointer beside tracked data."""
    pointer = root / f"{path}.mlops"
    if path.startswith("../") or not pointer.is_file():
        return []
    said = parse_json(pointer.read_bytes(), source=f"{path}.mlops")
    return [str(said["digest"])] if isinstance(said, dict) and said.get("digest") else []


def _plain(node: Node, holdings: dict[str, Holdings]) -> dict[str, Any]:
    return {
        "id": node.id,
        "kind": node.kind,
        "label": node.label,
        "digest": node.id if node.id.startswith("sha256:") else None,
        "place": node.place,
        "time": node.time or None,
        "facts": dict(node.facts),
        "tag": _tag(node, holdings),
    }


def _tag(node: Node, holdings: dict[str, Holdings]) -> dict[str, str] | None:
    """Return the tag in which git holds the same version or event, with the id of its object."""
    held = holdings.get(str(node.facts.get("model")))
    if held is None:
        return None
    if node.kind == "version":
        for version in held.versions:
            if version.number == node.facts.get("version"):
                return {"name": version.tag, "object": f"git:{version.tag_id}"}
    if node.kind == "promotion":
        for event in held.aliases.get(str(node.facts.get("alias")), ()):
            if event.number == node.facts.get("event"):
                return {"name": event.tag, "object": f"git:{event.tag_id}"}
    return None
