"""A lineage as one page that asks nobody for anything: a drawing for each version, causes above."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlops_cli.cli.render.lineage import chapters
from mlops_cli.cli.render.lineage_script import SCRIPT, STYLE
from mlops_cli.cli.render.lineage_sketch import KINDS, TIP, drawing, looks_of
from mlops_cli.cli.render.page import Html, esc, page, table, tag
from mlops_cli.cli.render.runs import figure, moment
from mlops_cli.cli.render.text import count
from mlops_cli.encode import canonical_json
from mlops_cli.ledger.graph import Graph, Node

_STATES = {
    "refs-verified": "records and tags in git say so, and are what their names say",
    "bytes-present": "the bytes are here, not read again",
    "missing": "bytes, record or tag are not in this clone",
    "mismatch": "the two ends, or record and tag, contradict each other",
}
_HELP = (
    "Click a link, or go with the arrow keys: what it came from and led to stays lit, its facts"
    " stand here. / searches, Escape shows all again."
)


def lineage_page(graph: Graph, data: Mapping[str, Any]) -> str:
    """Return the page of `graph`; `data` is the document of the command."""
    names = {node: f"n{number}" for number, node in enumerate(graph.nodes)}
    title = f"Lineage of {data['name']}" + (f" at {data['at']}" if data.get("at") else "")
    about = f"{count(len(graph.nodes), 'link')}, {count(len(graph.edges), 'edge')}"
    bands = list(_bands(graph))
    drawn = "".join(
        f'<section id="b{at}"><h2>{esc(_title(version))}</h2>\n'
        f"{drawing(graph, members, names, set(data['starts']))}</section>\n"
        for at, (version, members) in enumerate(bands)
    )
    facts = "".join(_facts(graph, one, names) for one in graph.nodes.values())
    find = (
        '<input type="search" placeholder="Search ( / ), Enter for the next" aria-label="Search">'
    )
    head = tag("h1", title) + tag("span", about, cls="dim")
    body = (
        f'<header>{head}{find}<span id="told" class="dim" role="status"></span></header>\n'
        f'<main><div id="bands">{TIP}{drawn}</div>\n'
        f"<aside>{_legend(graph, bands)}{facts}</aside></main>\n"
    )
    return page(title, Html(body), style=STYLE, script=SCRIPT)


def _bands(graph: Graph) -> Iterator[tuple[Node | None, list[Node]]]:
    """Yield (version, links) so that each link is in one of them: the first that it is part of."""
    for version, nodes, above in chapters(graph):
        yield version, [node for node in nodes if node.id not in above]


def _title(version: Node | None) -> str:
    if version is None:
        return "not part of a version"
    return f"{version.label}  {moment(version.time)[:10]}" if version.time else version.label


def _facts(graph: Graph, node: Node, names: Mapping[str, str]) -> str:
    rows: list[tuple[object, object]] = [
        ("digest" if node.id.startswith("sha256:") else "name", tag("code", node.id)),
        ("where", f"{node.place}, {node.state}"),
        *([("time", node.time)] if node.time else []),
        *((name, _value(value)) for name, value in node.facts.items() if value not in ({}, [])),
    ]
    inside = tag("h2", f"{node.kind}: {node.label}") + table(("", ""), rows)
    for what, this, that in (("came from", "target", "source"), ("led to", "source", "target")):
        near = dict.fromkeys(
            (getattr(edge, that), edge.relation, edge.state)
            for edge in graph.edges
            if getattr(edge, this) == node.id
        )
        each = [
            f'<li><button data-to="{names[other]}">{esc(graph.nodes[other].kind)} '
            f"{esc(graph.nodes[other].label)}</button> "
            f"{tag('span', f'{relation}, {state}', cls='dim')}</li>"
            for other, relation, state in near
        ]
        if each:
            inside += tag("nav", tag("h3", what), tag("ul", Html("".join(each))))
    return f'<section data-of="{names[node.id]}" hidden>{inside}</section>\n'


def _value(value: Any) -> Html:
    """Return a fact as a person reads it: names and values line by line."""
    if isinstance(value, Mapping):
        return Html("<br>".join(f"{esc(name)} {_value(item)}" for name, item in value.items()))
    if isinstance(value, list):
        return Html("<br>".join(_value(item) for item in value))
    if isinstance(value, float):
        return esc(figure(value))
    if not isinstance(value, str):
        return esc(canonical_json(value).decode())
    return tag("code", value) if value.startswith("sha256:") else esc(value)


def _legend(graph: Graph, bands: Sequence[tuple[Node | None, list[Node]]]) -> str:
    have = Counter(node.state for node in graph.nodes.values())
    states: list[tuple[object, ...]] = [
        (_line(state), Html(f'<button data-find="{state}">{state}</button>'), have[state], words)
        for state, words in _STATES.items()
        if have[state] or any(edge.state == state for edge in graph.edges)
    ]
    if any(edge.by == "time" for edge in graph.edges):
        states.append((_line("time"), "by time", "", "joined by what stood then, not by a digest"))
    kinds = Counter(looks_of(node.kind) for node in graph.nodes.values())
    colors = [
        (Html(f'<svg width="14" height="14"><rect class="{look}" width="14" height="14"/></svg>'),
         ", ".join(words), kinds[look])
        for look, words in KINDS.items() if kinds[look]
    ]  # fmt: skip
    chapters_of = "".join(
        f'<li><a href="#b{at}">{esc(_title(version))}</a> '
        f"{tag('span', count(len(members), 'link'), cls='dim')}</li>"
        for at, (version, members) in enumerate(bands)
    )
    inside = tag("p", _HELP) + tag("nav", tag("ul", Html(chapters_of)))
    inside += table(("", "state", "", ""), states, "llrl") + table(("", "kind", ""), colors, "llr")
    return f'<section data-of="all">{inside}</section>\n'


def _line(look: str) -> Html:
    """Return how an edge of this look is drawn."""
    return Html(f'<svg width="34" height="12"><path class="edge {look}" d="M2,6H32"></path></svg>')
