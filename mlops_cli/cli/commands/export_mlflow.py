"""`mlops export mlflow`: runs, versions and aliases become those of an MLflow server."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_cli.cli import context
from mlops_cli.cli.commands.import_mlflow import page, plain
from mlops_cli.integrations.mlflow import send_models
from mlops_cli.integrations.mlflow.rest import connect
from mlops_cli.integrations.mlflow.row import counts
from mlops_cli.integrations.mlflow.send import Sending
from mlops_cli.ledger import query
from mlops_cli.ledger.expression import parse
from mlops_cli.ledger.index import open_index
from mlops_cli.registry.registry import Registry


def command(
    uri: Annotated[str, typer.Argument(help="The server: http://127.0.0.1:5000.")],
    where: Annotated[
        str, typer.Option("--where", help="Only runs that fit, as in mlops runs search.")
    ] = "status != cached",
    artifacts: Annotated[
        bool, typer.Option("--artifacts/--no-artifacts", help="Upload artifacts and versions.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would happen; send nothing.")
    ] = False,
) -> int:
    """Send runs, metrics with steps, artifacts, versions and aliases by MLflow's REST API.

    Each step of a run is a run there, in the experiment of the step's name. What is there already
    stays; run it again to go on. MLflow need not be installed here.
    """
    ctx = context.current()
    project = ctx.project()
    server = connect(uri, ctx.environment)
    condition = parse(where)
    with open_index(project.git) as index:
        records = list(query.search(index, condition, limit=-1))
    sending = Sending(server, project.cache, artifacts, dry_run)
    sending.runs(records, ctx.progress)
    send_models.send(sending, Registry(project.git).holdings().values())
    told = [row for row in sending.rows if row.reason]
    data = {
        "dry_run": dry_run,
        "server": server.url,
        "counts": counts(sending.rows),
        "rows": plain(told),
    }
    return ctx.show(data, "mlops.export-mlflow/1", lambda: page(data, dry_run=dry_run))
