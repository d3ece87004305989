"""A lineage in the words of programs that draw: mermaid and dot."""

from __future__ import annotations

from mlops_cli.cli.render.text import short, shown
from mlops_cli.ledger.graph import MISMATCH, MISSING, Graph, Node


def mermaid(graph: Graph) -> str:
    """Return the graph in the words of mermaid, for a page that draws it."""
    names = {node: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    for node in graph.nodes.values():
        label = "<br/>".join(_entities(line) for line in _lines(node))
        left, right = ("[", "]") if node.place in ("ledger", "tags") else ("[(", ")]")
        lines.append(f'  {names[node.id]}{left}"{label}"{right}')
    lines += [
        f"  {names[e.source]} {'-.->' if e.state in (MISSING, MISMATCH) else '-->'}"
        f"|{e.relation}| {names[e.target]}"
        for e in graph.edges
    ]
    return "\n".join(lines)


def dot(graph: Graph) -> str:
    """Return the graph in the words of Graphviz: dot -Tsvg draws it."""
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for node in graph.nodes.values():
        shape = "" if node.place in ("ledger", "tags") else ", shape=cylinder"
        label = r"\n".join(_quoted(line) for line in _lines(node))
        lines.append(f'  "{_quoted(node.id)}" [label="{label}"{shape}];')
    for e in graph.edges:
        look = ", style=dashed" if e.state in (MISSING, MISMATCH) else ""
        ends = f'"{_quoted(e.source)}" -> "{_quoted(e.target)}"'
        lines.append(f'  {ends} [label="{e.relation}"{look}];')
    return "\n".join([*lines, "}"])


def _lines(node: Node) -> list[str]:
    lines = [shown(f"{node.kind}: {node.label}")]
    return [*lines, short(node.id)] if node.id.startswith("sha256:") else lines


def _entities(words: str) -> str:
    """Return `words` with everything that means something to mermaid or HTML by its number."""
    return "".join(c if c.isalnum() or c in " :/._-@,+%" else f"#{ord(c)};" for c in words)


def _quoted(words: str) -> str:
    return shown(words).replace("\\", r"\\").replace('"', r"\"")
