"""`mlops export prov`: a lineage as W3C PROV-JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlops_cli.cli import context, moments, tracing
from mlops_cli.cli.known import completed
from mlops_cli.cli.render.text import count, shown_json
from mlops_cli.ledger.record import timestamp


def command(
    name: Annotated[
        str,
        typer.Argument(
            help="What `mlops lineage` takes: delay@production.", autocompletion=completed
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write it there.")
    ] = None,
    up: Annotated[bool, typer.Option("--up", help="Only what led to it.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what came of it.")] = False,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="What stood then: 2013-03-01.")
    ] = None,
) -> int:
    """Write the lineage of a thing as PROV-JSON: entities, activities, agents.

    Each link keeps its digest, and each edge how it is known and how far it is confirmed here.
    """
    from mlops_cli import fsio
    from mlops_cli.encode import readable_json
    from mlops_cli.integrations import prov

    ctx = context.current()
    direction = "up" if up and not down else "down" if down and not up else "both"
    until = timestamp(moments.parse(at, ctx.now())) if at else None
    traced = tracing.trace(ctx.project(), name, ctx.cwd, direction, until=until)
    document = prov.document(traced.graph)
    links = len(traced.graph.nodes)
    data = {
        "name": name,
        "at": until,
        "links": links,
        "out": str(out) if out else None,
        "document": None if out else document,
    }
    told = shown_json(readable_json(document))
    if out is not None:
        fsio.write_atomic(ctx.cwd / out, told)
        told = f"{count(links, 'link')} in {out} ."
    return ctx.show(data, "mlops.export-prov/1", told, traced.warnings)
