"""`mlops tick`: run what is due, once in the world; cron calls it as often as it likes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from mlops_cli.cli import context, moments, ticking
from mlops_cli.cli.ran import Ran, as_json, first_error
from mlops_cli.cli.render import text
from mlops_cli.errors import OutsideWorld, StateRefused, UsageError
from mlops_cli.pipeline.triggers import due as triggers
from mlops_cli.pipeline.triggers.outlook import Due, State


def command(
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Say what is due and why; run nothing.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="As --dry-run; exit 1 where nothing is due.")
    ] = False,
    at: Annotated[
        str | None, typer.Option(help="With --dry-run: at this time, such as 2013-03-01T00:00:00Z.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="With --dry-run: all that comes due from --at to then.")
    ] = None,
    pull: Annotated[
        bool, typer.Option("--pull", help="First bring the branch forward to its remote's.")
    ] = False,
    trust_clock: Annotated[
        bool, typer.Option("--trust-clock", help="This clock is right, whatever others told.")
    ] = False,
) -> int:
    """Run what the triggers of pipeline.yaml say is due, and what nobody has run yet.

    Due is what follows from pipeline.yaml, git, the ledger and the clock: a tick that was lost or
    came twice changes nothing. Each window is claimed on the git remote first, so that of many
    machines exactly one runs it; without a remote this clone is alone. What a dead machine
    claimed is taken over when its lease has run out.
    """
    ctx = context.current()
    looking = dry_run or check
    if (at or to) and not looking:
        raise UsageError(
            "--at and --to only tell what would be due",
            code="bad-combination",
            hint="add --dry-run",
        )
    if pull and not looking:
        ticking.pull(ctx.project())
    ticker = ticking.Ticker.of(ctx)
    now = moments.parse(at, ctx.now())
    if not looking:
        return _act(ctx, ticker, now, trust_clock=trust_clock)
    try:
        ticker.refresh()
    except OutsideWorld as exc:
        ctx.warn(f"as last seen: {exc.message}")
    state = ticker.state(now, write=False)
    if at is None and not trust_clock:
        try:
            triggers.refuse_clock(state, now)
        except StateRefused as exc:
            ctx.warn(exc.message)
    if to is not None:
        return _replay(ctx, state, now, moments.parse(to, now))
    data = _data(state, now, [], dry_run=True)
    code = 1 if check and not any(one["now"] for one in data["windows"]) else 0
    return ctx.show(data, "mlops.tick/1", lambda: _screen(data), code=code)


def _act(ctx: context.Context, ticker: ticking.Ticker, now: datetime, *, trust_clock: bool) -> int:
    state = ticker.carry_out(now, trust_clock=trust_clock)
    error = first_error(ticker.ran)
    if error is not None:
        raise error
    data = _data(state, now, ticker.ran, dry_run=False)
    return ctx.show(data, "mlops.tick/1", lambda: _screen(data))


def _replay(ctx: context.Context, state: State, start: datetime, end: datetime) -> int:
    if end < start:
        raise UsageError("--to lies before --at", code="bad-value", hint="--at FROM --to UNTIL")
    played = list(triggers.schedule(state, triggers.moments(state, start, end)))
    data = {
        "at": _moment(start),
        "to": _moment(end),
        "dry_run": True,
        "ran": [],
        "windows": [_window(one, tick) for tick, one in played],
        "quiet": [],
    }

    def human() -> str:
        rows = [
            (f"{tick.astimezone(UTC):%Y-%m-%d %H:%M}", one.trigger, one.run, one.because[0])
            for tick, one in played
        ]
        table = text.table(rows, ("at (UTC)", "trigger", "runs", "because"))
        return f"{table}\n\n{text.count(len(rows), 'window')}." if rows else "Nothing comes due."

    return ctx.show(data, "mlops.tick/1", human)


def _data(state: State, now: datetime, ran: list[Ran], *, dry_run: bool) -> dict[str, Any]:
    judged = triggers.judge(state, now)
    return {
        "at": _moment(now),
        "to": None,
        "dry_run": dry_run,
        "ran": [as_json(one) for one in ran],
        "windows": [_window(one) for each in judged for one in each.windows],
        "quiet": [
            {"trigger": each.trigger, "because": each.quiet} for each in judged if not each.windows
        ],
    }


def _window(due: Due, tick: datetime | None = None) -> dict[str, Any]:
    return {
        "trigger": due.trigger,
        "window": due.window,
        "runs": due.run,
        "moment": _moment(tick or due.moment),
        "because": list(due.because),
        "now": not due.against,
        "against": list(due.against),
        "attempt": due.attempt,
    }


def _screen(data: dict[str, Any]) -> str:
    lines = []
    for one in data["ran"]:
        lines.append(f"{text.style('ran', 'green')}   {one['trigger']}  {one['runs']}")
        lines.append(f"      {'; '.join(one['because'])}")
    for one in data["windows"]:
        word = text.style("due", "green") if one["now"] else text.style("held", "yellow")
        lines.append(f"{word}{' ' if one['now'] else ''}  {one['trigger']}  {one['runs']}")
        lines += [f"      {'; '.join(one['because'])}"]
        lines += [f"      but {reason}" for reason in one["against"]]
    for one in data["quiet"]:
        lines.append(f"{text.style('quiet', 'dim')} {one['trigger']}  {one['because']}")
    if not lines:
        return "pipeline.yaml has no triggers."
    if not data["ran"] and not any(one["now"] for one in data["windows"]):
        lines.append("Nothing is due.")
    return "\n".join(lines)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
