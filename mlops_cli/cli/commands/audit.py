"""`mlops audit`: who did what with a model, when, and on what evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlops_cli import fsio
from mlops_cli.cli import context, history, known, told
from mlops_cli.cli.render import audit as pages
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import timestamp
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.trail import trail


def command(
    name: Annotated[
        str,
        typer.Argument(
            help="A model, or one version: delay, delay@v1.", autocompletion=known.versions
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write one HTML page: audit.html."),
    ] = None,
) -> int:
    """List every event of a model, oldest first: runs, registrations, approvals, moves of aliases,
    deployments, checks and decisions, each with its actor, commit, digest and evidence.

    Of one version: what made it, and what became of it. A deleted event of an alias is an error;
    a record whose tag is gone, and a tag that cannot be read, are told.
    """
    ctx = context.current()
    git = ctx.project().git
    history.remind(ctx, git)
    registry = Registry(git)
    version = registry.resolve(name) if "@" in name else None
    model, number = (version.model, version.number) if version else (name, None)
    with open_index(git) as index:
        events = trail(git, index, model, number, allowed=told.signers(ctx, git))
    if not events:
        registry.resolve(name)  # says which models there are
    title = version.name if version else model
    rows = [event.to_plain() for event in events]
    data = {"model": model, "version": number, "events": rows, "out": out and str(out)}
    if out is not None:
        fsio.write_atomic(ctx.cwd / out, pages.page(title, rows, made=timestamp(ctx.now())))
    human = pages.done(title, rows, out) if out else pages.listing(rows)
    return ctx.show(data, "mlops.audit/1", human)
