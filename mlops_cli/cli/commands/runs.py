"""`mlops runs`: what was run, by whom, on what, and what came out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mlops_cli.cli import context, history, known
from mlops_cli.cli.commands import (
    runs_apply,
    runs_compact,
    runs_compare,
    runs_export,
    runs_recover,
)
from mlops_cli.cli.fields import unseen
from mlops_cli.cli.render import runs as pages
from mlops_cli.errors import NotFound, UsageError
from mlops_cli.ledger import query
from mlops_cli.ledger.expression import parse
from mlops_cli.ledger.index import Index, open_index
from mlops_cli.ledger.record import KINDS, Record

app = typer.Typer(help="List, compare, search what was run; bring a result into the tree.")

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")]


@app.command("list")
def list_runs(limit: Limit = 20) -> int:
    """List the newest runs, each with its steps and metrics."""
    ctx = context.current()
    git = ctx.project().git
    history.remind(ctx, git)
    with open_index(git) as index:
        total = len(index.run_ids())
        found = [_summary(run) for run in query.runs(index, limit=limit)]
        warnings = _warnings(index)
    data = {"runs": found, "total": total}
    return ctx.show(data, "mlops.runs-list/1", lambda: pages.listing(found, total), warnings)


@app.command("show")
def show(
    name: Annotated[
        str,
        typer.Argument(
            help="A run, the beginning of one, 'latest', or a record's digest.",
            autocompletion=known.runs,
        ),
    ] = "latest",
    plots: Annotated[
        Path | None, typer.Option("--plots", help="Write what was logged into this HTML file.")
    ] = None,
) -> int:
    """Show one run with all its steps, or one record of the ledger."""
    ctx = context.current()
    project = ctx.project()
    history.remind(ctx, project.git)
    with open_index(project.git) as index:
        run, record = _find(index, name)
        warnings = _warnings(index)
    if plots is not None and run is not None:
        from mlops_cli.cli.plotting import write

        count = write(ctx.cwd / plots, project, [run])
        ctx.progress.say(f"{count} curves in {plots}")
    data = {
        "run": _summary(run) if run else None,
        "steps": [_whole(told) for told in run.records] if run else [],
        "record": _whole(record) if record else None,
    }
    return ctx.show(data, "mlops.runs-show/1", lambda: pages.page(data), warnings)


@app.command("search")
def search(
    expression: Annotated[
        str, typer.Argument(help="Such as: metrics.roc_auc > 0.7 and step = train.delay")
    ],
    kind: Annotated[str, typer.Option("--kind", help="Records of another kind.")] = "run",
    limit: Limit = 20,
) -> int:
    """Find records by a condition: = != < <= > >= ~ (contains), and, or, not, parentheses.

    A field is a dotted path: step, status, seconds, run, time, branch, commit, metrics.NAME,
    params.NAME, environment.python. What a record does not have matches nothing.
    """
    ctx = context.current()
    if kind not in KINDS:
        raise UsageError(
            f"there are no records of kind {kind!r}",
            code="unknown-kind",
            hint=f"kinds: {', '.join(KINDS)}",
        )
    condition = parse(expression)
    git = ctx.project().git
    history.remind(ctx, git)
    with open_index(git) as index:
        found = [_whole(r) for r in query.search(index, condition, kind=kind, limit=limit)]
        warnings = [*_warnings(index), *(() if found else unseen(index, expression, kind))]
    data = {"expression": expression, "kind": kind, "records": found}
    return ctx.show(data, "mlops.runs-search/1", lambda: pages.found(found, kind), warnings)


app.command("compare")(runs_compare.command)
app.command("apply")(runs_apply.command)
app.command("export")(runs_export.command)
app.command("recover")(runs_recover.command)
app.command("compact")(runs_compact.command)


def _find(index: Index, name: str) -> tuple[query.Run | None, Record | None]:
    try:
        return query.run(index, name), None
    except NotFound:
        if name == "latest":
            raise
    try:
        record = query.record(index, name)
    except NotFound:
        raise NotFound(
            f"there is no run and no record {name!r}",
            code="unknown-run",
            hint=f"mlops runs list; of a step: mlops runs search 'step = {name}'",
        ) from None
    if record.kind == "run":
        return query.Run(str(record["run"]), (record,)), record
    return None, record


def _summary(run: query.Run) -> dict[str, Any]:
    last = run.records[-1]
    return {
        "id": run.id,
        "status": run.status,
        "started": run.started,
        "seconds": round(run.seconds, 3),
        "metrics": run.metrics,
        "actor": last["actor"],
        "commit": (last["code"] or {}).get("commit"),
        "experiment": last["experiment"],
        "steps": [
            {
                "step": record["step"],
                "step_kind": record["step_kind"],
                "status": record["status"],
                "seconds": record["seconds"],
                "record": str(record.digest),
            }
            for record in run.records
        ],
    }


def _whole(record: Record) -> dict[str, Any]:
    return {"record": str(record.digest), **record.body}


def _warnings(index: Index) -> list[str]:
    return [f"{why}; it is left out." for why in index.damaged().values()]
