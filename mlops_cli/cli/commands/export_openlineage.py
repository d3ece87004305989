"""`mlops export openlineage`: what happened, as events that other catalogues read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from mlops_cli.cli import context, moments, tracing
from mlops_cli.cli.known import completed
from mlops_cli.cli.render.text import count, shown_json
from mlops_cli.errors import UsageError
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import timestamp

if TYPE_CHECKING:
    from mlops_cli.integrations.openlineage import Place
    from mlops_cli.ledger.index import Index
    from mlops_cli.ledger.record import Record
    from mlops_cli.project import Project


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Only the lineage of this; all records if left out.", autocompletion=completed
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write JSON lines there.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Send them to this OpenLineage endpoint.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what was written from then on.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="Of jobs and data; the name of the project if left out.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would be sent; send nothing.")
    ] = False,
) -> int:
    """Write the ledger as OpenLineage events: JSON lines on stdout, into a file, or by HTTP.

    Each record is a run of a job, with a START and how it ended; sent twice it is told once. A key
    that the endpoint wants is taken from OPENLINEAGE_API_KEY.
    """
    from mlops_cli import fsio
    from mlops_cli.integrations import openlineage_http

    if out is not None and url is not None:
        raise UsageError(
            "--out and --url are two places", code="bad-options", hint="give one of them"
        )
    ctx = context.current()
    address = openlineage_http.endpoint(url) if url else None
    first = timestamp(moments.parse(since, ctx.now())) if since else ""
    project = ctx.project()
    place = _place(project, namespace)
    only = _records_of(project, name, ctx.cwd) if name else None
    with open_index(project.git) as index:
        for why in index.damaged().values():
            ctx.warn(f"{why}; it is left out.")
        events = list(_events(index, place, first, only))
    data: dict[str, Any] = {
        "namespace": place.namespace,
        "count": len(events),
        "dry_run": dry_run,
        "out": str(out) if out else None,
        "url": address,
        "events": events if not (out or url) else None,
    }
    if dry_run:
        where = address or out or "stdout"
        told = f"{count(len(events), 'event')} would go to {where} ."
        return ctx.show(data, "mlops.export-openlineage/1", told)
    lines = shown_json("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events))
    if address is not None:
        key = ctx.environment.get("OPENLINEAGE_API_KEY") or None
        openlineage_http.send(address, events, key=key)
        told = f"{count(len(events), 'event')} sent to {address} ."
    elif out is not None:
        fsio.write_atomic(ctx.cwd / out, lines)
        told = f"{count(len(events), 'event')} in {out} ."
    else:
        told = lines
    return ctx.show(data, "mlops.export-openlineage/1", told)


def _events(
    index: Index, place: Place, first: str, only: set[str] | None
) -> Iterator[dict[str, Any]]:
    """Yield the events of the records from `first` on, oldest first."""
    from mlops_cli.integrations import openlineage

    known: dict[str, Record | None] = {}

    def find(digest: str) -> Record | None:
        if digest not in known:
            known[digest] = index.get(digest)
        return known[digest]

    for record in reversed(list(index.newest())):
        if str(record["time"]) >= first and (only is None or str(record.digest) in only):
            yield from openlineage.events(record, place, find)


def _records_of(project: Project, name: str, cwd: Path) -> set[str]:
    traced = tracing.trace(project, name, cwd)
    return {node.id for node in traced.graph.nodes.values() if node.place == "ledger"}


def _place(project: Project, namespace: str | None) -> Place:
    from mlops_cli.integrations.openlineage import Place
    from mlops_cli.pipeline.reading.load import load
    from mlops_cli.vcs.exchange import remote_of

    if namespace is None:
        declared = (project.root / "pipeline.yaml").is_file()
        namespace = load(project.root).project.name if declared else project.root.name
    remote = remote_of(project.git)
    url = project.git.run("config", "--get", f"remote.{remote}.url", check=False) if remote else ""
    parts = urlsplit(url)
    host = parts.hostname or ""
    bare = parts._replace(netloc=host + (f":{parts.port}" if parts.port else "")).geturl()
    return Place(namespace, bare if parts.scheme in ("http", "https") and host else None)
