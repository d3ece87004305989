"""`mlops schedule`: let cron or systemd of this user call `mlops tick` in this project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mlops_cli.cli import context, crontab, systemd, timers
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError

app = typer.Typer(help="Let cron or systemd call mlops tick.")

Cron = Annotated[bool, typer.Option("--cron", help="A line in the crontab of this user.")]
Systemd = Annotated[bool, typer.Option("--systemd", help="A timer of this user's systemd.")]
DryRun = Annotated[bool, typer.Option("-n", "--dry-run", help="Say what would change.")]


@app.command("install")
def install(
    cron: Cron = False,
    by_systemd: Systemd = False,
    every: Annotated[str, typer.Option(help="How often: 1m, 15m, 1h, 6h, 1d.")] = "15m",
    pull: Annotated[
        bool, typer.Option("--pull", help="Each tick first brings the branch forward.")
    ] = False,
    dry_run: DryRun = False,
) -> int:
    """Write the line or the timer that calls `mlops tick`; what is there of others stays.

    By cron where there is a crontab, else by systemd. Called again it changes what changed. On
    several machines all may tick: each window is run by one of them.
    """
    ctx = context.current()
    root = ctx.project().root
    how = timers.every(every, root)
    options = ["--pull"] if pull else []
    if _by_cron(cron, by_systemd):
        line = crontab.line_for(root, how, options)
        former = crontab.read()
        fresh = crontab.with_line(former, root, line)
        if fresh != former and not dry_run:
            crontab.write(fresh)
        data = _data("cron", [], [line], changed=fresh != former, dry_run=dry_run)
        return ctx.show(data, "mlops.schedule-install/1", lambda: _installed(data))
    timer = _unit(root, how, options)
    changed = not systemd.installed(timer)
    if changed and not dry_run:
        systemd.install(timer)
    lines = [*timer.service.splitlines(), *timer.timer.splitlines()]
    data = _data(
        "systemd", [str(path) for path in timer.paths], lines, changed=changed, dry_run=dry_run
    )
    return ctx.show(data, "mlops.schedule-install/1", lambda: _installed(data))


@app.command("show")
def show() -> int:
    """Say what calls `mlops tick` in this project."""
    ctx = context.current()
    root = ctx.project().root
    lines = crontab.lines_of(crontab.read(), root) if timers.available("crontab") else []
    files = [path for path in _unit(root, timers.every("15m", root), []).paths if path.is_file()]
    data = {"cron": lines, "systemd": [str(path) for path in files]}

    def human() -> str:
        found = [*lines, *map(str, files)]
        return "\n".join(found) or "Nothing calls mlops tick here.\n  → mlops schedule install"

    return ctx.show(data, "mlops.schedule-show/1", human)


@app.command("remove")
def remove(dry_run: DryRun = False) -> int:
    """Take the line and the timer of this project away."""
    ctx = context.current()
    root = ctx.project().root
    lines: list[str] = []
    if timers.available("crontab"):
        former = crontab.read()
        lines = crontab.lines_of(former, root)
        if lines and not dry_run:
            crontab.write(crontab.with_line(former, root, None))
    timer = _unit(root, timers.every("15m", root), [])
    files = [path for path in timer.paths if path.is_file()]
    if files and not dry_run:
        systemd.remove(timer)
    data = {"cron": lines, "systemd": [str(path) for path in files], "dry_run": dry_run}

    def human() -> str:
        found = [*lines, *map(str, files)]
        verb = "Would take away" if dry_run else "Took away"
        return (
            "\n".join([f"{verb}:", *(f"  {one}" for one in found)])
            if found
            else ("Nothing called mlops tick here.")
        )

    return ctx.show(data, "mlops.schedule-remove/1", human)


def _by_cron(cron: bool, by_systemd: bool) -> bool:
    if cron and by_systemd:
        raise UsageError(
            "--cron and --systemd exclude each other", code="bad-combination", hint="choose one"
        )
    return cron or (
        not by_systemd and (timers.available("crontab") or not timers.available("systemctl"))
    )


def _unit(root: Path, how: timers.Every, options: list[str]) -> systemd.Unit:
    ctx = context.current()
    config = ctx.environment.get("XDG_CONFIG_HOME")
    return systemd.unit(root, how, options, home=ctx.home, config=config)


def _data(
    by: str, files: list[str], lines: list[str], *, changed: bool, dry_run: bool
) -> dict[str, Any]:
    return {"by": by, "files": files, "lines": lines, "changed": changed, "dry_run": dry_run}


def _installed(data: dict[str, Any]) -> str:
    if not data["changed"]:
        return "It is installed already."
    verb = "Would write" if data["dry_run"] else "Wrote"
    where = " and ".join(data["files"]) or "to the crontab"
    return "\n".join([f"{verb} {where}:", *(text.style(line, "dim") for line in data["lines"])])
