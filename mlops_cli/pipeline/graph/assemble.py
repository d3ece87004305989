"""Steps to their graph: each after what it needs; circles and disputed outputs are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.graph.makers import folders_of, makers, makers_of
from mlops_cli.pipeline.graph.order import Where, in_order
from mlops_cli.pipeline.paths import under
from mlops_cli.pipeline.step import Step


def graph(
    steps: tuple[Step, ...],
    *,
    env: Mapping[str, Any] | None = None,
    where: Where | None = None,
) -> Graph:
    """Return the graph of `steps`.

    Raises ConfigError: "two-producers", "missing-producer" (a path under out/ that nobody
    makes), "cycle", each naming the steps and where they stand.
    """
    at: Where = where or (lambda step, _field, _value: f"step {step}")
    producers = makers_of(steps, at)
    folders = folders_of(producers)
    before: dict[str, tuple[str, ...]] = {}
    for step in steps:
        first = dict.fromkeys(step.needs)
        for dep in step.deps:
            found = makers(dep, producers, folders)
            if not found and under(dep, "out"):
                raise ConfigError(
                    f"{at(step.name, 'deps', dep)}: no step makes {dep}, which {step.name} needs",
                    code="missing-producer",
                    hint=f"add a step with outs: [{dep}], or correct the path",
                    details={"step": step.name, "path": dep},
                )
            first |= dict.fromkeys(found)
        before[step.name] = tuple(first)
    by_name = {step.name: step for step in steps}
    order = in_order(before, at)
    after: dict[str, list[str]] = {name: [] for name in order}
    for name in order:
        for earlier in before[name]:
            after[earlier].append(name)
    return Graph(
        {name: by_name[name] for name in order},
        before,
        producers,
        env or {},
        {name: tuple(later) for name, later in after.items()},
    )
