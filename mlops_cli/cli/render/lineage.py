"""A lineage on screen: a chapter for each version, causes first, each link with its digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlops_cli.cli.render.runs import figure, figures, moment
from mlops_cli.cli.render.text import count, short, shown, style, table
from mlops_cli.ledger.graph import MISMATCH, MISSING, Graph, Node

AFTER = (
    "evaluation",
    "promotion",
    "deployment",
    "prediction",
    "predictions",
    "check",
    "decision",
)
_HIDDEN = ("segment", "report")
_MOST = 4  # links of one kind in a row that are shown one by one


def tree(graph: Graph, starts: Sequence[str], data: Mapping[str, Any]) -> str:
    """Return the chapters; segments and reports stand in the JSON document only."""
    lines = _answers(data)
    for version, nodes, above in chapters(graph):
        title = shown(version.label) if version else "not part of a version"
        lines += ["", style(title, "bold")] if lines else [style(title, "bold")]
        kept = [node for node in nodes if node.kind not in _HIDDEN]
        rows = list(_rows(kept, starts, above))
        lines += [f"├─ {row}" for row in rows[:-1]] + [f"└─ {row}" for row in rows[-1:]]
    if data.get("direction") == "down":
        lines += ["", *_uses(data["uses"])]
    kinds = len(graph.nodes)
    return "\n".join([*lines, "", f"{count(kinds, 'link')}; --json has whole digests."])


def _answers(data: Mapping[str, Any]) -> list[str]:
    """Return what is behind a prediction, where the lineage is one of a prediction."""
    told = [
        (
            f"{one['variant']}",
            f"{figure(one['score'])} at {moment(one['time'])} by v{one['version']}"
            f" in {shown(one['environment'])}",
        )
        for one in data.get("answers") or ()
    ]
    for one in data.get("rows") or ():
        sides = ", ".join(f"{side} {count(n, 'row')}" for side, n in one["sides"].items())
        told.append((short(one["digest"]), f"{shown(one['step'])}: {sides}"))
    if one := data.get("within"):
        held = f"in {len(one['versions'])} of {count(one['of'], 'version')} of {one['folder']}"
        told.append((short(one["digest"]), f"{shown(one['path'])}, {shown(held)}"))
    if not data.get("answers"):
        return [table(told)] if told else []
    made = data["origin"]
    if made["version"]:
        told.append(("version", shown(made["version"]["name"])))
    if run := made["run"]:
        told.append(("run", f"{shown(str(run['id']))} {shown(run['step'])}"))
    dirty = f", {count(len(made['dirty']), 'file')} differed" if made["dirty"] else ""
    told.append(("commit", f"{str(made['commit'] or '-')[:12]}{dirty}"))
    told += [("data", f"{shown(one['path'])} {short(one['digest'])}") for one in made["data"]]
    return [style(shown(data["name"]), "bold"), table(told, indent="  ")]


def _uses(uses: Mapping[str, Any]) -> list[str]:
    """Return which models, aliases and deployments are below, a line for each of the three."""
    aliases: dict[str, list[str]] = {}
    for one in uses["aliases"]:
        aliases.setdefault(one["name"], []).append(f"v{one['version']}")
    places: dict[str, list[str]] = {}
    for one in uses["deployments"]:
        if one["action"] != "stop":
            places.setdefault(f"{one['environment']}", []).append(f"v{one['version']}")
    rows = [
        ("models", ", ".join(one["name"] for one in uses["models"])),
        ("aliases", _held(aliases)),
        ("deployments", _held(places)),
    ]
    return [table([(what, shown(words) or "none") for what, words in rows])]


def _held(versions: Mapping[str, Sequence[str]]) -> str:
    """Return each name with its versions, each once: how often it came back is in the tree."""
    return "; ".join(f"{name} {', '.join(dict.fromkeys(n))}" for name, n in versions.items())


def chapters(graph: Graph) -> Iterator[tuple[Node | None, list[Node], set[str]]]:
    """Yield (version, links, which of them stand in an earlier chapter too) in order of time.

    The links: what the version was made of, itself, how it was used. A retrained one is made of
    what came after the decision; what led to the decision is the story of the version before.
    Links that led to no version come last, under None.
    """
    causes: dict[str, list[str]] = {name: [] for name in graph.nodes}
    effects: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for edge in graph.edges:
        causes[edge.target].append(edge.source)
        effects[edge.source].append(edge.target)
    taken: set[str] = set()

    def reach(start: str, ways: Mapping[str, list[str]], stop: tuple[str, ...]) -> set[str]:
        found, queue = set(), [start]
        while queue:
            for other in ways[queue.pop()]:
                new = other not in taken and other not in found
                if new and graph.nodes[other].kind not in stop:
                    found.add(other)
                    queue.append(other)
        return found

    versions = [node for node in graph.nodes.values() if node.kind == "version"]
    for version in sorted(versions, key=lambda node: node.time):
        mine = {version.id} | reach(version.id, causes, (*AFTER, "version"))
        used = reach(version.id, effects, ("run", "version"))
        for check in [name for name in used if graph.nodes[name].kind == "check"]:
            used |= {name for name in causes[check] if name not in taken}
        used |= {e.target for e in graph.edges if e.relation == "challenger" and e.source in mine}
        mine |= used - taken
        above = {cause for name in mine for cause in causes[name] if cause in taken}
        taken |= mine
        yield version, [graph.nodes[n] for n in graph.nodes if n in mine or n in above], above
    rest = [node for name, node in graph.nodes.items() if name not in taken]
    if rest:
        yield None, rest, set()


def _rows(nodes: Sequence[Node], starts: Sequence[str], above: set[str]) -> Iterator[str]:
    position = 0
    while position < len(nodes):
        kind = nodes[position].kind
        end = position
        while end < len(nodes) and nodes[end].kind == kind:
            end += 1
        alike = nodes[position:end]
        if len(alike) > _MOST:
            yield _row(alike[0], starts, above)
            yield f"{kind:<12} {style(f'… {len(alike) - 2} more …', 'dim')}"
            yield _row(alike[-1], starts, above)
        else:
            yield from (_row(node, starts, above) for node in alike)
        position = end


def _row(node: Node, starts: Sequence[str], above: set[str]) -> str:
    label = f"{_cut(shown(_told(node)), 34):<34}"
    digest = short(node.id) if node.id.startswith("sha256:") else "-" * 12
    beside = style("above", "dim") if node.id in above else _cut(shown(extra(node)), 15)
    name = style(label, "bold") if node.id in starts else label
    return f"{node.kind:<12} {name} {style(digest, 'dim')}  {beside}".rstrip()


def extra(node: Node) -> str:
    """Return the one thing worth knowing of a link beside its name: a metric, a day, its state."""
    facts = node.facts
    if node.kind == "run" and node.state != MISMATCH:
        return figures(facts.get("metrics") or {}, 1)
    if node.state in (MISSING, MISMATCH):
        return "MISMATCH" if node.state == MISMATCH else "not here"
    if node.kind == "predictions":
        return f"to {moment(facts.get('end'))[:10]}"
    if node.kind == "check" and isinstance(facts.get("window"), Mapping):
        return f"to {moment(facts['window'].get('end'))[:10]}"
    return moment(node.time)[:10] if node.place == "ledger" else ""


def _told(node: Node) -> str:
    if node.kind == "decision" and node.facts.get("because"):
        reasons = "; ".join(_word(reason) for reason in node.facts["because"])
        return f"{node.facts.get('action')}: {reasons}"
    return node.label


def _word(reason: Any) -> str:
    return str(reason.get("reason") or reason) if isinstance(reason, Mapping) else str(reason)


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"
