"""`mlops runs recover`: write down what killed processes left, and put their outputs right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render.text import count, table
from mlops_cli.ledger import spool
from mlops_cli.ledger.append import SPOOL, open_ledger
from mlops_cli.pipeline.traces import marker
from mlops_cli.vcs import scratch

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_cli.ledger.record import Record
    from mlops_cli.pipeline.traces.marker import Marker
    from mlops_cli.project import Project


def command(
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Only say what would be recovered.")
    ] = False,
) -> int:
    """Record the attempts that a killed process left, and give them back their former outputs.

    The next run does the same by itself; this is for when there is none. What runs now is let be.
    """
    ctx = context.current()
    project = ctx.project()
    dead = marker.standing(project.root).dead
    lost = [one for tree in scratch.abandoned(project.git) for one in marker.standing(tree).dead]
    waiting = _spooled(project.root)
    records = [] if dry_run else _recover(ctx, project, dead, lost)
    data = {
        "dry_run": dry_run,
        "attempts": [_told(one) for one in (*dead, *lost)],
        "waiting": waiting,
        "records": records,
    }
    return ctx.show(data, "mlops.runs-recover/1", lambda: _page(data))


def _recover(
    ctx: context.Context, project: Project, dead: tuple[Marker, ...], lost: list[Marker]
) -> list[str]:
    """Put right and record; return the digests of all records that were committed."""
    from mlops_cli.pipeline.running.recover import put_all_right
    from mlops_cli.pipeline.running.settle import Settling
    from mlops_cli.pipeline.running.tell import Teller
    from mlops_cli.pipeline.traces.holding import Holder

    ledger = open_ledger(project.git)
    settling = Settling(project.root, project.cache, project.stats, ledger)
    teller = Teller(project.git, ctx.now, ())
    holder = Holder(project.root)
    try:
        put_all_right(holder, dead, settling, teller, ctx.progress)
    finally:
        holder.close()
    killed: list[Record] = [teller.killed(one) for one in lost]
    for record in killed:
        ledger.spool(record)
    records = [str(digest) for digest in ledger.flush()]
    scratch.sweep(project.git)  # only now: the markers in it were all that was left of them
    return records


def _spooled(root: Path) -> int:
    """Return how many records wait for a process that will not come again."""
    with spool.take(root / SPOOL) as taken:
        return len(taken.records)


def _told(one: Marker) -> dict[str, Any]:
    return {"run": one.run, "step": one.step, "started": one.started, "ended": bool(one.finished)}


def _page(data: dict[str, Any]) -> str:
    if not (data["attempts"] or data["waiting"]):
        return "Nothing was left behind."
    rows = [(one["step"], one["run"], one["started"][:16]) for one in data["attempts"]]
    lines = [table(rows, ("step", "run", "began"))] if rows else []
    if data["dry_run"]:
        lines.append(f"Would record {count(len(rows) + data['waiting'], 'attempt')}.")
    else:
        lines.append(f"Recorded {count(len(data['records']), 'attempt')}: mlops runs list")
    return "\n".join(lines)
