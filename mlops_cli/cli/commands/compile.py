"""`mlops compile`: the plan of pipeline.yaml as files of another orchestrator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_cli import plugins
from mlops_cli.cli import context
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError
from mlops_cli.integrations import compiled
from mlops_cli.integrations.flow import Exporter, Plan
from mlops_cli.integrations.plan import plan_of, retrains
from mlops_cli.pipeline.graph.opening import open_graph
from mlops_cli.pipeline.reading.load import load
from mlops_cli.workspace.tracked import pointer_files

if TYPE_CHECKING:
    from mlops_cli.pipeline.model.pipeline import Pipeline
    from mlops_cli.project import Project

VERBS: dict[compiled.State, str] = {"new": "wrote", "gone": "removed"}


def _names(incomplete: str) -> list[str]:
    return [name for name in sorted(plugins.EXPORTERS) if name.startswith(incomplete)]


def command(
    orchestrator: Annotated[
        str, typer.Argument(help="airflow, argo, github or kfp.", autocompletion=_names)
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The folder; each has its own, as dags.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; answer 1 where a file is stale.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Only say what would be written.")
    ] = False,
) -> int:
    """Write the pipeline for Airflow, Argo Workflows, GitHub Actions or Kubeflow Pipelines.

    Each task calls `mlops run STEP --only`, so results, locks and records are those of mlops run.
    One flow holds all steps; each trigger with a schedule gives another one. For tasks on machines
    of their own set compile.image, and compile.repository where they clone it themselves.
    """
    if check and dry_run:
        raise UsageError("--check writes nothing anyway", code="bad-options", hint="--check alone")
    ctx = context.current()
    project = ctx.project()
    exporter: Exporter = plugins.load("mlops.exporters", orchestrator)()
    pipeline = load(project.root)
    plan = _plan(project, pipeline, ctx, apart=exporter.apart)
    folder = ctx.cwd / out if out is not None else project.root / exporter.folder
    files = compiled.compare(orchestrator, exporter, plan, folder)
    stale = [file for file in files if file.state != "fresh"]
    if not (check or dry_run):
        compiled.carry_out(files)
    for sentence in (*_left_out(pipeline), *exporter.cannot(plan)):
        ctx.warn(sentence)
    data = {
        "orchestrator": orchestrator,
        "plan": plan.digest,
        "dry_run": dry_run,
        "fresh": not stale,
        "flows": [
            {"id": flow.id, "cron": flow.cron, "tasks": [task.step for task in flow.tasks]}
            for flow in plan.flows
        ],
        "files": [{"path": _shown(file.path, ctx.cwd), "state": file.state} for file in files],
    }

    def human() -> str:
        if not stale:
            return f"{text.count(len(files), 'file')}: as the pipeline says."
        lines = []
        for file in stale:
            shown = _shown(file.path, ctx.cwd)
            if check or dry_run:
                lines.append(f"{shown} {compiled.WORDS[file.state]}.")
            else:
                lines.append(f"{VERBS.get(file.state, 'wrote again')}  {shown}")
        return "\n".join(lines)

    return ctx.show(data, "mlops.compile/1", human, code=1 if check and stale else 0)


def _plan(project: Project, pipeline: Pipeline, ctx: context.Context, *, apart: bool) -> Plan:
    graph = open_graph(project.root, cache=project.cache.root / "parsed", now=ctx.now())
    settings = ("compile.image", "compile.repository")
    image, repository = (ctx.settings.get(word) if apart else None for word in settings)
    data = [file.removesuffix(".mlops") for file in pointer_files(project.root, project.git)]
    return plan_of(pipeline, graph, data, image=image, repository=repository)


def _left_out(pipeline: Pipeline) -> list[str]:
    """Return what no orchestrator is told of, and who does it."""
    told = []
    for name, trigger in pipeline.triggers.items():
        if trigger.cron and retrains(trigger):
            told.append(f"{name} runs {trigger.run}, which mlops tick does")
        elif not trigger.cron:
            told.append(f"{name} is due by what happens, which mlops tick sees")
        elif trigger.catch_up == "all":
            told.append(f"{name} catches up every window; a compiled one runs only the next")
    return told


def _shown(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)
