"""`mlops lineage`: where a thing came from, and what came of it, each link by its digest."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mlops_cli.cli import context, history, moments, tracing
from mlops_cli.cli.known import completed
from mlops_cli.errors import UsageError
from mlops_cli.ledger.record import timestamp


class Form(StrEnum):
    tree = "tree"
    mermaid = "mermaid"
    dot = "dot"
    html = "html"


def command(
    name: Annotated[
        str,
        typer.Argument(
            help="delay@production, data (@revision), a run, a step, a digest, a prediction's id.",
            autocompletion=completed,
        ),
    ],
    up: Annotated[bool, typer.Option("--up", help="Only what led to it.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what came of it.")] = False,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="What stood then: 2013-03-01.")
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(metavar="OTHER", help="What changed since @previous, v2, @staging."),
    ] = None,
    row: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="What was made of the row of this key (of data, a view)."),
    ] = None,
    graph: Annotated[Form, typer.Option("--graph", help="How to draw it.")] = Form.tree,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Draw it as a page in this file.")
    ] = None,
) -> int:
    """Follow a version, data, a run, a prediction or any digest to its origins and to its use.

    Links are records of the ledger and bytes in cache or git, named by what is in them; digests
    are short on screen and whole under --json. Among the questions are delay@production --at
    2013-03-15, delay@production --diff @previous, and data/flights@HEAD~3 --down.
    """
    ctx = context.current()
    if up and down:
        raise UsageError(
            "--up and --down leave nothing out together", code="bad-options", hint="give neither"
        )
    if diff is not None and (up or down or row or html or graph is not Form.tree):
        raise UsageError(
            "--diff is a table of its own", code="bad-options", hint="give it with --at alone"
        )
    if row is not None and up:
        raise UsageError(
            "--row follows a row down to what was made of it",
            code="bad-options",
            hint="leave --up out",
        )
    if html is not None and graph is not Form.tree:
        raise UsageError(
            "--html writes a page, --graph prints a drawing", code="bad-options", hint="give one"
        )
    until = timestamp(moments.parse(at, ctx.now())) if at else None
    project = ctx.project()
    history.remind(ctx, project.git)
    if diff is not None:
        from mlops_cli.cli import contrasting
        from mlops_cli.cli.render.lineage_diff import screen

        differs = contrasting.contrast(project, name, diff, ctx.cwd, until=until)
        return ctx.show(differs, "mlops.lineage-diff/1", lambda: screen(differs))
    direction = "up" if up else "down" if down else "both"
    if row is not None:
        direction = "down"
    traced = tracing.trace(project, name, ctx.cwd, direction, until=until, row=row)
    if html is not None:
        _write(ctx.cwd / html, traced)
        data = {**traced.data, "html": str(html)}
        return ctx.show(data, "mlops.lineage/1", f"Drawn in {html} .", traced.warnings)
    return ctx.show(traced.data, "mlops.lineage/1", lambda: _drawn(traced, graph), traced.warnings)


def _write(target: Path, traced: tracing.Traced) -> None:
    from mlops_cli import fsio
    from mlops_cli.cli.render.lineage_page import lineage_page

    fsio.write_atomic(target, lineage_page(traced.graph, traced.data))


def _drawn(traced: tracing.Traced, form: Form) -> str:
    if form is Form.tree:
        return traced.tree()
    if form is Form.html:
        from mlops_cli.cli.render.lineage_page import lineage_page

        return lineage_page(traced.graph, traced.data)
    from mlops_cli.cli.render import drawn

    return drawn.mermaid(traced.graph) if form is Form.mermaid else drawn.dot(traced.graph)
