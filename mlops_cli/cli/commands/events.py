"""`mlops events`: what somebody is to look at, for whom, and how it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context, history
from mlops_cli.cli.options import Options
from mlops_cli.cli.output import Sink
from mlops_cli.cli.render import text
from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.code import code_now
from mlops_cli.ledger.index import open_index
from mlops_cli.monitoring import desk as desks
from mlops_cli.monitoring.desk import Desk
from mlops_cli.monitoring.event import Event
from mlops_cli.monitoring.feedback import close
from mlops_cli.pipeline.graph.reading import of_pipeline
from mlops_cli.pipeline.reading.load import load
from mlops_cli.progress import SILENT

if TYPE_CHECKING:
    from mlops_cli.project import Project

app = typer.Typer(help="List, show and close what somebody is to look at.")

LONG = 60  # letters of a sentence in the list


def _ids(incomplete: str) -> list[str]:
    sink = Sink(as_json=False, quiet=True, verbose=0)  # the shell asks, so main entered no context
    with opened(context.Context(Options(), sink, SILENT).project()) as desk:
        return [one.id[:12] for one in desk.events() if one.id.startswith(incomplete)]


Name = Annotated[
    str, typer.Argument(metavar="EVENT", help="Its id, or the beginning.", autocompletion=_ids)
]


@app.command("list")
def list_events(
    who: Annotated[
        str | None,
        typer.Option("--for", help="Only for this role or owner, or about this step or monitor."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Answer 1 when one is open.")] = False,
) -> int:
    """List the open events, oldest first: for whom, about what, since when.

    A step that fails opens one and its next success closes it; so does a family of a monitor that
    is important, until it is ok. What `mlops feedback` sent stays until somebody closes it.
    """
    ctx = context.current()
    project = ctx.project()
    history.remind(ctx, project.git)
    with opened(project) as desk:
        found = desk.events(every=every)
        if who is not None:
            desks.known(desk, found, who)
            found = [event for event in found if event.concerns(who)]
    still = sum(event.closed is None for event in found)
    data = {"events": [event.plain() for event in found], "open": still}
    code = 1 if check and still else 0
    return ctx.show(data, "mlops.events-list/1", lambda: _listing(found, every), code=code)


@app.command("show")
def show(name: Name) -> int:
    """Show one event: what went wrong, how often, and the record that opened it."""
    ctx = context.current()
    with opened(ctx.project()) as desk:
        event = desk.event(name)
    return ctx.show(event.plain(), "mlops.events-show/1", lambda: _page(event))


@app.command("close")
def close_event(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="What became of it, for the record.")],
) -> int:
    """Close an event; what goes wrong after it opens another."""
    ctx = context.current()
    project = ctx.project()
    git = project.git
    with opened(project) as desk:
        event = desk.event(name)
    told = close(event, reason, actor=str(git.identity()), time=ctx.now(), code=code_now(git))
    open_ledger(git).append(told)
    data = {"event": event.id, "about": event.about, "record": str(told.digest)}
    said = f"Closed {event.id[:12]}{_about(event)}. Next: mlops push"
    return ctx.show(data, "mlops.events-close/1", said)


@contextlib.contextmanager
def opened(project: Project) -> Iterator[Desk]:
    """Open the desk of a project: its ledger, its steps, its owners."""
    pipeline = load(project.root)
    with open_index(project.git) as index:
        yield Desk(index, of_pipeline(pipeline), pipeline.project.owners)


def _listing(found: list[Event], every: bool) -> str:
    if not found:
        return "No events." if every else "No open events."
    rows = [
        (
            event.id[:12],
            text.shown(event.owner or event.to),
            text.shown(event.about) or None,
            event.opened[:16].replace("T", " "),
            event.times,
            _cut(text.shown(event.what)),
            *([event.closed.time[:16].replace("T", " ") if event.closed else None] * every),
        )
        for event in found
    ]
    headers = ("event", "for", "about", "since", "times", "what", *(["closed"] * every))
    return text.table(rows, headers, "llllr")


def _page(event: Event) -> str:
    rows: list[tuple[str, Any]] = [
        ("for", f"{event.to} ({event.owner})" if event.owner else event.to),
        ("about", event.about or None),
        ("what", event.what),
        ("since", event.opened),
        ("last", f"{event.last}, {text.count(event.times, 'time')}"),
        ("record", event.record),
    ]
    if event.closed:
        rows.append(("closed", f"{event.closed.time} by {event.closed.by}: {event.closed.reason}"))
    shown = [(name, value and text.shown(value)) for name, value in rows]
    return f"{event.id[:12]}\n{text.table(shown, indent='  ')}"


def _about(event: Event) -> str:
    return f", about {text.shown(event.about)}" if event.about else ""


def _cut(words: str) -> str:
    return words if len(words) <= LONG else words[: LONG - 1] + "…"
