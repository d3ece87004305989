"""One drawing of a lineage: boxes in lines, causes above, and what stands in another drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlops_cli.cli.render.layered import layout
from mlops_cli.cli.render.lineage import extra
from mlops_cli.cli.render.page import Html, esc
from mlops_cli.cli.render.text import short
from mlops_cli.ledger.graph import Graph, Node
from mlops_cli.ledger.links import Edge

WIDE, HIGH, ACROSS, DOWN, EDGE = 188, 42, 204, 76, 8
TIP = Html(  # of an arrow; once a page
    '<svg width="0" height="0" style="position:absolute"><marker id="tip" viewBox="0 0 8 8" '
    'refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" '
    'orient="auto"><path class="tip" d="M0,0L8,4L0,8z"/></marker></svg>\n'
)
MOST = 5  # boxes in a line; more go into the next
_LONGEST = 25  # letters of a label in its box
KINDS = {
    "made": ("data", "code", "features", "model", "and other bytes"),
    "ran": ("run",),
    "kept": ("version", "promotion"),
    "used": ("deployment", "predictions", "prediction", "check", "decision", "evaluation"),
}


def looks_of(kind: str) -> str:
    """Return the class of CSS for a kind of link."""
    return next((look for look, kinds in KINDS.items() if kind in kinds), "made")


def drawing(
    graph: Graph, members: Sequence[Node], names: Mapping[str, str], starts: set[str]
) -> Html:
    """Return the drawing of `members` with all edges that lead to them.

    A cause that stands in another drawing is drawn here once more, as a shadow of it.
    """
    mine = {node.id for node in members}
    edges = [edge for edge in graph.edges if edge.target in mine]
    near = mine | {edge.source for edge in edges}
    nodes = [node for node in graph.nodes.values() if node.id in near]
    spots, width, height = _spots(nodes, edges)
    inside = "".join(_edge(edge, spots, names) for edge in edges)
    for node in nodes:
        inside += _node(node, spots[node.id], names[node.id], node.id in starts, node.id in mine)
    return Html(
        f'<svg class="lineage" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="group">\n{inside}</svg>\n'
    )


def _spots(
    nodes: Sequence[Node], edges: Sequence[Edge]
) -> tuple[dict[str, tuple[int, int]], int, int]:
    """Return node → (x, y), and how wide and high all of it is."""
    placed = layout([node.id for node in nodes], [(edge.source, edge.target) for edge in edges])
    layers: dict[int, list[str]] = {}
    for name, (layer, _) in sorted(placed.items(), key=lambda item: item[1]):
        layers.setdefault(layer, []).append(name)
    lines = [
        each[start : start + MOST]
        for each in layers.values()
        for start in range(0, len(each), MOST)
    ]
    widest = max(map(len, lines), default=1)
    spots = {
        name: (EDGE + (widest - len(line)) * ACROSS // 2 + column * ACROSS, EDGE + row * DOWN)
        for row, line in enumerate(lines)
        for column, name in enumerate(line)
    }
    width, height = widest * ACROSS - (ACROSS - WIDE), len(lines) * DOWN - (DOWN - HIGH)
    return spots, width + 2 * EDGE, height + 2 * EDGE


def _edge(edge: Edge, spots: Mapping[str, tuple[int, int]], names: Mapping[str, str]) -> str:
    (x1, y1), (x2, y2) = spots[edge.source], spots[edge.target]
    x1, y1, x2 = x1 + WIDE // 2, y1 + HIGH, x2 + WIDE // 2
    bend = max(24, abs(y2 - y1) // 2)
    told = f"{edge.relation} {edge.name}".strip() + f", by {edge.by}, {edge.state}"
    look = " ".join(["edge", edge.state, edge.relation, *(["time"] if edge.by == "time" else [])])
    return (
        f'<path class="{esc(look)}" data-from="{names[edge.source]}" '
        f'data-to="{names[edge.target]}" marker-end="url(#tip)" '
        f'd="M{x1},{y1}C{x1},{y1 + bend} {x2},{y2 - bend} {x2},{y2}">'
        f"<title>{esc(told)}</title></path>\n"
    )


def _node(node: Node, spot: tuple[int, int], name: str, start: bool, mine: bool) -> str:
    x, y = spot
    digest = short(node.id) if node.id.startswith("sha256:") else ""
    under = f"{node.kind} · {extra(node) or digest}" if mine else f"{node.kind} · drawn elsewhere"
    look = ["node", node.state, *(["start"] if start else []), *([] if mine else ["shadow"])]
    own = f'id="{name}" tabindex="-1" role="button" ' if mine else ""
    return (
        f'<g class="{esc(" ".join(look))}" {own}data-of="{name}">'
        f"<title>{esc(f'{node.kind}: {node.label} {digest}'.strip())}</title>"
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="5"/>'
        f'<rect class="{looks_of(node.kind)}" x="{x}" y="{y}" width="5" height="{HIGH}"/>'
        f'<text x="{x + 13}" y="{y + 18}">{esc(_cut(node.label))}</text>'
        f'<text x="{x + 13}" y="{y + 34}">{esc(under[: _LONGEST + 5])}</text></g>\n'
    )


def _cut(label: str) -> str:
    """Return as much of a label as fits: of a path its end."""
    if len(label) <= _LONGEST:
        return label
    return f"…{label[1 - _LONGEST :]}" if "/" in label else f"{label[: _LONGEST - 1]}…"
