"""`mlops train`: `mlops run`, narrowed to training and evaluation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, sharing
from mlops_cli.cli.commands.run import as_json, machine, screen
from mlops_cli.cli.render import text
from mlops_cli.cli.render.standing import screen as standing_screen
from mlops_cli.errors import ConfigError, NotFound, UsageError
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.graph.opening import open_graph
from mlops_cli.pipeline.graph.reading import of_pipeline
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.reading.load import load
from mlops_cli.pipeline.running import execute
from mlops_cli.pipeline.running.execute import RunParts, RunResult

if TYPE_CHECKING:
    from mlops_cli.pipeline.runner import Clock
    from mlops_cli.project import Project


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
    incremental: Annotated[
        bool,
        typer.Option("--incremental", help="This once, only on rows that the parent has not seen."),
    ] = False,
    quantize: Annotated[
        str | None, typer.Option(help="This once, weights of eight bits: int8.")
    ] = None,
) -> int:
    """Train models and evaluate them on later rows, with all that comes before.

    Only what is stale is run; --force trains though nothing changed. What was trained is held
    against the model in production, on the same rows and slices.
    """
    ctx = context.current()
    project = ctx.project()
    environment = ctx.environment
    chosen = [name.removeprefix("train.") for name in names or ()]
    if incremental:
        _refuse_cold(load(project.root), chosen)
        environment = {**environment, "MLOPS_INCREMENTAL": "1"}
    parts = replace(sharing.parts(ctx, project), environ=environment)
    if quantize:
        graph = of_pipeline(_quantized(load(project.root), chosen, quantize))
    else:
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
        warm=ctx.settings.get("run.warm"),
        progress=ctx.progress,
    )
    data = as_json(result, dry_run=dry_run) | {
        "actions": [],
        "metrics": _metrics(parts, targets),
        "production": _standings(project, result, targets, ctx.now),
    }
    return ctx.show(data, "mlops.train/1", lambda: _screen(result, data, dry_run))


def _refuse_cold(pipeline: Pipeline, names: list[str]) -> None:
    """Raise ConfigError ("no-parent") where a training begins anew each time."""
    for name, train in pipeline.train.items():
        if train.warm_start is None and (not names or name in names):
            raise ConfigError(
                f"train.{name} begins anew each time, so it has no rows to leave out",
                code="no-parent",
                hint=f"add warm_start: previous, or production, to train.{name}",
            )


def _quantized(pipeline: Pipeline, names: list[str], how: str) -> Pipeline:
    """Return the pipeline with `export.quantize` set for the trainings `names`, or for all."""
    if how != "int8":
        raise UsageError(f"there is no {how}", code="wrong-value", hint="--quantize int8")
    small = {
        name: replace(train, export=replace(train.export, quantize="int8"))
        for name, train in pipeline.train.items()
        if not names or name in names
    }
    return replace(pipeline, train={**pipeline.train, **small})


def _standings(
    project: Project, result: RunResult, targets: list[str], now: Clock
) -> list[dict[str, Any]]:
    """Return how what was evaluated now stands beside production, and record it."""
    done = [name for name in targets if name.startswith("evaluate.") and name in result.did]
    if not done:
        return []
    from mlops_cli.training import standing
    from mlops_cli.training.action import work

    parts, pipeline = work(project), load(project.root)
    found = []
    for name in done:
        found += standing.standings(parts, pipeline, name.partition(".")[2])
    standing.remember(parts, found, now=now())
    return [one.to_plain() for one in found]


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
    from mlops_cli.pipeline.traces.lock import read_locks

    held = read_locks(parts.root, [name for name in targets if name.startswith("evaluate.")])
    return {name.partition(".")[2]: dict(lock.metrics) for name, lock in held.items()}


def _screen(result: RunResult, data: dict[str, Any], dry_run: bool) -> str:
    lines = [screen(result, [], dry_run=dry_run)]
    if not dry_run:
        for name, values in data["metrics"].items():
            rows = [(metric, f"{value:.4f}") for metric, value in values.items()]
            if rows:
                lines += ["", text.table(rows, (name, "value"), "lr")]
        for each in data["production"]:
            lines += ["", standing_screen(each)]
    return "\n".join(lines)
