"""`mlops train`: `mlops run`, narrowed to training and evaluation."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.commands.run import as_json, machine, screen
from mlops_cli.cli.render import text
from mlops_cli.errors import NotFound
from mlops_cli.pipeline import execute
from mlops_cli.pipeline.execute import RunParts, RunResult
from mlops_cli.pipeline.graph import Graph, open_graph


def command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Trainings of pipeline.yaml; all when left out.")
    ] = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate/--no-evaluate", help="Evaluate what was trained.")
    ] = True,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=0, help="Steps at once; 0: one a core.")
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Only say what would be done.")
    ] = False,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Run them though nothing changed.")
    ] = False,
    no_commit: Annotated[
        bool, typer.Option("--no-commit", help="Leave the locks uncommitted.")
    ] = False,
) -> int:
    """Train models and evaluate them on later rows, with all that comes before.

    Only what is stale is run; --force trains though nothing changed.
    """
    ctx = context.current()
    project = ctx.project()
    parts = RunParts.of(project, ctx.environment)
    graph = open_graph(project.root, cache=parts.parsed)
    targets = _targets(graph, names or [], evaluate=evaluate)
    result = execute.run(
        parts,
        graph,
        targets,
        now=ctx.now,
        jobs=jobs or int(ctx.settings.get("run.jobs")) or execute.default_jobs(),
        dry_run=dry_run,
        force=force,
        commit=not no_commit,
        machine=machine(ctx.settings),
        progress=ctx.progress,
    )
    data = as_json(result, dry_run=dry_run) | {"actions": [], "metrics": _metrics(parts, targets)}
    return ctx.show(data, "mlops.train/1", lambda: _screen(result, data["metrics"], dry_run))


def _targets(graph: Graph, names: list[str], *, evaluate: bool) -> list[str]:
    known = [step.config["name"] for step in graph.steps.values() if step.kind == "train"]
    for name in names:
        if name.removeprefix("train.") not in known:
            near = text.nearest(name, known)
            raise NotFound(
                f"there is no training {name!r}",
                code="unknown-training",
                hint=f"did you mean {near!r}?" if near else f"known: {', '.join(known) or 'none'}",
            )
    if not known:
        raise NotFound(
            "pipeline.yaml trains nothing", code="unknown-training", hint="add a train: section"
        )
    chosen = [name.removeprefix("train.") for name in names] or known
    kinds = ("train", "evaluate") if evaluate else ("train",)
    return [f"{kind}.{name}" for name in chosen for kind in kinds]


def _metrics(parts: RunParts, targets: list[str]) -> dict[str, Any]:
    """Return the metrics that now stand in the locks of the evaluations."""
    from mlops_cli.pipeline.lock import read_locks

    held = read_locks(parts.root, [name for name in targets if name.startswith("evaluate.")])
    return {name.partition(".")[2]: dict(lock.metrics) for name, lock in held.items()}


def _screen(result: RunResult, metrics: dict[str, Any], dry_run: bool) -> str:
    lines = [screen(result, [], dry_run=dry_run)]
    if not dry_run:
        for name, values in metrics.items():
            rows = [(metric, f"{value:.4f}") for metric, value in values.items()]
            if rows:
                lines += ["", text.table(rows, (name, "value"), "lr")]
    return "\n".join(lines)
