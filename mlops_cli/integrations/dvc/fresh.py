"""Which steps are as their locks say, so that DVC may be told so too."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from mlops_cli.pipeline.graph.opening import open_graph
from mlops_cli.pipeline.planning.look import look
from mlops_cli.pipeline.planning.plan import plan
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces.lock import read_locks
from mlops_cli.store.cache import Cache
from mlops_cli.store.statcache import StatCache


def fresh(
    root: Path, *, cache: Cache, stats: StatCache | None, environ: Mapping[str, str]
) -> tuple[dict[str, Step], set[str]]:
    """Return all steps that leave something, and the names of those that need not run.

    Raises as `open_graph` and `look` do.
    """
    parsed = cache.root / "parsed"
    graph = open_graph(root, cache=parsed)
    steps = {name: step for name, step in graph.steps.items() if not step.action}
    held = read_locks(root, steps)
    world = look(
        graph,
        list(steps),
        root=root,
        stats=stats,
        environ=environ,
        python=(sys.version_info[0], sys.version_info[1]),
        store=cache,
        parsed=parsed,
        locks=held,
    )
    made = plan(graph, held, world, recall=lambda _: None)
    return steps, {item.step.name for item in made.items if item.action == "skip"}
