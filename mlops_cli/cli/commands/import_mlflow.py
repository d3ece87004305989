"""`mlops import mlflow`: what MLflow recorded becomes runs, versions and aliases of mlops."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import text
from mlops_cli.integrations.mlflow import intake, models
from mlops_cli.integrations.mlflow.opening import open_source
from mlops_cli.integrations.mlflow.row import Row, counts
from mlops_cli.integrations.mlflow.shelves import Shelves
from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.index import open_index
from mlops_cli.registry.protected import branch
from mlops_cli.registry.registry import shared

SHOWN = 60  # rows that a person is shown


def command(
    path: Annotated[str, typer.Argument(help="A folder mlruns, or a file mlflow.db.")],
    artifacts: Annotated[
        list[Path] | None,
        typer.Option("--artifacts", help="A folder in which artifacts lie too; repeatable."),
    ] = None,
    remote_artifacts: Annotated[
        bool, typer.Option("--remote-artifacts", help="Fetch artifacts from s3:// and the like.")
    ] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Take runs that never ended, as killed ones.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would happen; change nothing.")
    ] = False,
) -> int:
    """Read a store of MLflow 2 or 3: runs, metrics with steps, models, versions, aliases.

    MLflow need not be installed, and nothing is loaded or changed there. Artifacts are taken from
    the store's own folder. Run it again to go on, or to take what is new.
    """
    ctx = context.current()
    project = ctx.project()
    source = open_source(ctx.cwd / path)
    roots = (source.home, *(ctx.cwd / one for one in artifacts or ()))
    ledger = open_ledger(project.git)
    with closing(source), open_index(project.git) as index:
        parts = intake.Parts(
            project.cache,
            ledger,
            index,
            str(project.git.identity()),
            ctx.now(),
            Shelves(roots, project.cache, remote_artifacts, look_only=dry_run),
            unfinished=unfinished,
            dry_run=dry_run,
        )
        known = intake.bring(source, parts, progress=ctx.progress)
        protected = branch(project.git, ctx.settings)
        registry = shared(project.git, ctx.settings)
        models.bring(source.models(), parts, known, registry=registry, protected=protected)
    known.rows += [Row(one.what, one.name, "left out", one.why) for one in source.omitted]
    if not dry_run:
        ledger.flush()
    told = [row for row in known.rows if row.reason or row.state in ("refused", "left out")]
    data = {"dry_run": dry_run, "source": path, "counts": counts(known.rows), "rows": plain(told)}
    return ctx.show(data, "mlops.import-mlflow/1", lambda: page(data, dry_run=dry_run))


def plain(rows: list[Row]) -> list[dict[str, str]]:
    """Return the rows as they stand in the JSON document."""
    return [
        {"what": row.what, "name": row.name, "state": row.state, "reason": row.reason}
        for row in rows
    ]


def page(data: dict[str, Any], *, dry_run: bool) -> str:
    """Return what a person reads: what was left out and why, then how many of each there are."""
    order = ("refused", "left out")
    rows = sorted(data["rows"], key=lambda row: row["state"] not in order)
    lines = []
    if rows:
        keys = ("what", "name", "state", "reason")
        cells = [tuple(text.shown(row[key]) for key in keys) for row in rows[:SHOWN]]
        lines = [text.table(cells, align="llll")]
        if len(rows) > SHOWN:
            lines.append(f"… and {len(rows) - SHOWN} more; --json lists all.")
        lines.append("")
    for what, states in data["counts"].items():
        told = ", ".join(f"{count} {state}" for state, count in states.items())
        lines.append(f"{what}: {told}")
    if not data["counts"]:
        lines.append("There is nothing in it.")
    if dry_run:
        lines.append("Nothing was changed.")
    return "\n".join(lines)
