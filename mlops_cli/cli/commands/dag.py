"""`mlops dag`: the graph of steps, for people, for documents, for programs."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import text
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.graph.opening import open_graph
from mlops_cli.pipeline.paths import SPLIT, base

SHOWN = 8  # outputs of an entry with `for`


class Format(enum.StrEnum):
    text = "text"
    mermaid = "mermaid"
    dot = "dot"
    json = "json"


def command(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Only these steps and all before them.")
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How to draw it.")] = Format.text,
    partitions: Annotated[
        bool, typer.Option("--partitions", help="Show how the partitions stand, a sign for each.")
    ] = False,
) -> int:
    """Draw the graph: who makes what another step reads. Actions run only when named."""
    ctx = context.current()
    project = ctx.project()
    graph = open_graph(project.root, cache=project.cache.root / "parsed", now=ctx.now())
    chosen = graph.select(targets) if targets else set(graph.steps)
    names = [name for name in graph.steps if name in chosen]
    data = as_json(graph, names)
    if partitions:
        from mlops_cli.cli import grid

        rows = grid.rows(ctx, project, graph, names)
        data["partitions"] = grid.as_json(rows)
        return ctx.show(data, "mlops.dag/1", lambda: grid.screen(rows))
    if format is Format.json:
        ctx.sink.as_json = True
    drawings = {Format.mermaid: mermaid, Format.dot: dot}
    draw = drawings.get(format, tree)
    return ctx.show(data, "mlops.dag/1", lambda: draw(graph, names))


def as_json(graph: Graph, names: list[str]) -> dict[str, Any]:
    """Return nodes and edges as plain values."""
    return {
        "steps": [
            {
                "name": name,
                "group": base(name) if base(name) != name else None,
                "kind": graph.steps[name].kind,
                "action": graph.steps[name].action,
                "deps": list(graph.steps[name].deps),
                "outs": list(graph.steps[name].outs),
                "owner": graph.steps[name].owner,
            }
            for name in names
        ],
        "edges": [
            {"from": first, "to": name, "paths": _paths(graph, first, name)}
            for name in names
            for first in graph.before[name]
        ],
    }


def _paths(graph: Graph, first: str, name: str) -> list[str]:
    """Return what `name` reads of what `first` makes."""
    from mlops_cli.pipeline.paths import under

    outs = graph.steps[first].outs
    return [
        dep for dep in graph.steps[name].deps if any(under(dep, o) or under(o, dep) for o in outs)
    ]


def tree(graph: Graph, names: list[str]) -> str:
    """Return the steps in an order in which they can run: what each makes, what comes before."""
    import textwrap

    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(base(name), []).append(name)
    labels = {
        one: group if members == [group] else f"{group}{SPLIT} ({len(members)} steps)"
        for group, members in groups.items()
        for one in members
    }
    width = max(map(len, labels.values()), default=0)
    lines: list[str] = []
    for members in groups.values():
        outs = [out for name in members for out in graph.steps[name].outs]
        made = ", ".join(outs[:SHOWN]) if outs else "runs only when named"
        made += f" and {len(outs) - SHOWN} more" if len(outs) > SHOWN else ""
        lines.append(f"{text.style(f'{labels[members[0]]:<{width}}', 'bold')}  → {made}")
        before = {early: 0 for name in members for early in graph.before[name] if early in labels}
        first = dict.fromkeys(labels[early] for early in _nearest(graph, list(before)))
        if first:
            wrapped = textwrap.wrap(
                ", ".join(first), 80, initial_indent="    ← ", subsequent_indent="      "
            )
            lines += [text.style(line, "dim") for line in wrapped]
    return "\n".join(lines)


def _nearest(graph: Graph, first: list[str]) -> list[str]:
    """Leave out steps that come before another of `first` anyway."""
    return [name for name in first if not graph.downstream([name]) & set(first)]


def mermaid(graph: Graph, names: list[str]) -> str:
    """Return a Mermaid flowchart, which forges draw in Markdown."""
    number = {name: f"s{n}" for n, name in enumerate(names)}
    lines = ["flowchart LR"]
    for name in names:
        left, right = ("([", "])") if graph.steps[name].action else ("[", "]")
        lines.append(f'  {number[name]}{left}"{name}"{right}')
    lines += [
        f"  {number[first]} --> {number[name]}"
        for name in names
        for first in _nearest(graph, [one for one in graph.before[name] if one in number])
    ]
    return "\n".join(lines)


def dot(graph: Graph, names: list[str]) -> str:
    """Return a digraph for Graphviz."""
    lines = ["digraph pipeline {", "  rankdir=LR;", "  node [shape=box];"]
    for name in names:
        shape = " [shape=oval]" if graph.steps[name].action else ""
        lines.append(f'  "{name}"{shape};')
    lines += [
        f'  "{first}" -> "{name}";'
        for name in names
        for first in _nearest(graph, [one for one in graph.before[name] if one in names])
    ]
    return "\n".join([*lines, "}"])
