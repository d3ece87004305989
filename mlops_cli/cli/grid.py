"""How the partitions of steps stand: one sign for each, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mlops_cli.cli.render import text
from mlops_cli.pipeline.paths import base
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.pipeline.planning.prospect import prospect
from mlops_cli.pipeline.traces import marker

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.pipeline.graph.graph import Graph
    from mlops_cli.project import Project

State = Literal["done", "stale", "missing", "running"]
SIGNS: dict[State, str] = {"done": "#", "stale": "~", "missing": ".", "running": ">"}
WIDE = 60  # signs in a line


@dataclass(frozen=True, slots=True)
class Row:
    """The partitions of one entry, by name."""

    step: str
    states: dict[str, State]


def rows(ctx: Context, project: Project, graph: Graph, names: list[str]) -> list[Row]:
    """Return how the partitions among the steps `names` stand."""
    wanted = [name for name in names if graph.steps[name].partition]
    if not wanted:
        return []
    parts = RunParts.of(project, ctx.environment)
    found = prospect(parts, graph, wanted)
    live = marker.standing(project.root).live
    groups: dict[str, dict[str, State]] = {}
    for item in found.plan.items:
        name, label = item.step.name, item.step.partition
        if name not in wanted or label is None:
            continue
        state: State = "stale" if name in found.locks else "missing"
        if name in live:
            state = "running"
        elif not item.stale:
            state = "done"
        groups.setdefault(base(name), {})[label] = state
    return [Row(step, states) for step, states in groups.items()]


def as_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Return the rows as plain values."""
    return [
        {
            "step": row.step,
            "partitions": [{"name": name, "state": state} for name, state in row.states.items()],
        }
        for row in rows
    ]


def screen(rows: list[Row]) -> str:
    """Return the grid as people read it, with what the signs mean."""
    if not rows:
        return "No step has partitions."
    lines: list[str] = []
    for row in rows:
        names, signs = list(row.states), "".join(SIGNS[state] for state in row.states.values())
        done = signs.count(SIGNS["done"])
        lines.append(f"{text.style(row.step, 'bold')}  {done} of {len(names)} done")
        starts = range(0, len(names), WIDE)
        lines += [f"  {names[n]}  {signs[n : n + WIDE]}" for n in starts]
    legend = "  ".join(f"{sign} {state}" for state, sign in SIGNS.items())
    return "\n".join([*lines, text.style(legend, "dim")])
