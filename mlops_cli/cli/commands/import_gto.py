"""`mlops import gto`: versions and stages that GTO keeps in tags become ours."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import text


def command(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would happen; change nothing.")
    ] = False,
) -> int:
    """Read tags as name@v1.2.3 and name#stage#4: a version each, and an event of an alias each.

    The model is read as it was at the commit of the tag: from git, the cache, or that of DVC; ONNX
    and safetensors only. The tags of GTO stay, and the command may be run again. No gate is asked,
    so an alias that pipeline.yaml has gates for is what it was at GTO until it is promoted here.
    """
    from mlops_cli.integrations.gto import grammar
    from mlops_cli.integrations.gto.take import Taker
    from mlops_cli.ledger.append import open_ledger
    from mlops_cli.registry.create import send_ledger
    from mlops_cli.registry.registry import shared

    ctx = context.current()
    project = ctx.project()
    registry = shared(project.git, project.settings)
    taker = Taker(registry, project.cache, open_ledger(project.git), dry_run)
    rows = list(taker.take(grammar.read(project.git)))
    if any(row.state == "imported" for row in rows):
        send_ledger(registry)
    listed = [{"tag": row.tag, "state": row.state, "reason": row.reason} for row in rows]
    lost = any(row.state in ("missing", "refused") for row in rows)
    told = [(row.state, text.shown(row.tag), text.shown(row.reason)) for row in rows]
    return ctx.show(
        {"dry_run": dry_run, "rows": listed},
        "mlops.import-gto/1",
        lambda: text.table(told) if told else "No tag here is one of GTO.",
        code=40 if lost and not dry_run else 0,
    )
