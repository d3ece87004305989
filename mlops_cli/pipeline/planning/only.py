"""Runs that leave what comes before to others: it must stand, or come from the run cache."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from mlops_cli.errors import StateRefused
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.pipeline.planning.prospect import prospect


def only(
    parts: RunParts,
    graph: Graph,
    targets: Sequence[str] | None,
    *,
    run: Collection[str],
    refresh: bool = False,
) -> Graph:
    """Return `graph` for a run of `targets` (all when None) in which nothing but `run` runs.

    What says `always` and is not in `run` was run by whoever had it to run: here it is as good as
    its inputs. Raises StateRefused ("would-run") with the first step that would have to run.
    """
    steps = {
        name: replace(step, always=False) if step.always and name not in run else step
        for name, step in graph.steps.items()
    }
    narrowed = replace(graph, steps=steps)
    for item in prospect(parts, narrowed, targets, refresh=refresh).plan.items:
        name = item.step.name
        if name not in run and item.action in ("run", "blocked"):
            why = item.because[0].sentence() if item.because else "it is stale"
            raise StateRefused(
                f"{name} comes first and would have to run: {why}",
                code="would-run",
                hint=f"mlops run {name}; with --pull what was run elsewhere counts too",
                details={"step": name, "because": [one.as_json() for one in item.because]},
            )
    return narrowed
