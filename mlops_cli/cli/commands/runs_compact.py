"""`mlops runs compact`: few refs and few bytes where many writers have written."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer

from mlops_cli import quantities
from mlops_cli.cli import context, history
from mlops_cli.cli.render.text import count, table
from mlops_cli.errors import UsageError


def command(
    older: Annotated[
        str, typer.Option("--older", help="Writers who wrote nothing for so long: 30d, 12h, 0.")
    ] = "30d",
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Only say what would be folded.")
    ] = False,
) -> int:
    """Fold the ledgers of writers who write no more into segments, one a month.

    No record is lost, whoever writes, sends or folds at the same time, and every answer is the
    same. Happens on the git remote, if there is one; other clones follow with their next fetch.
    """
    ctx = context.current()
    place, done = history.fold(ctx, ctx.project().git, older=_age(older), dry_run=dry_run)
    data = {
        "dry_run": dry_run,
        "remote": place.remote,
        "branch": place.branch,
        "writers": sorted(done.writers),
        "records": done.records,
        "left": dict(done.left),
    }
    return ctx.show(data, "mlops.runs-compact/1", lambda: _page(data))


def _age(said: str) -> timedelta:
    try:
        return timedelta(seconds=quantities.duration(said))
    except ValueError:
        raise UsageError(
            f"{said!r} is no duration", code="bad-options", hint="--older 30d, 12h, 2w or 0"
        ) from None


def _page(data: dict[str, Any]) -> str:
    if not data["writers"]:
        return "Nothing to fold: every writer has written lately."
    verb = "Would fold" if data["dry_run"] else "Folded"
    where = f" on {data['remote']}" if data["remote"] else ""
    amount = f"{count(len(data['writers']), 'writer')}, {count(data['records'], 'record')}"
    return "\n".join(
        [table([(name,) for name in data["writers"][:20]]), f"{verb} {amount}{where}."]
    )
