"""`mlops push`: send data that the remote lacks."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_cli.cli import bundles, context, history
from mlops_cli.cli.render import text
from mlops_cli.store import transfer
from mlops_cli.workspace import remotes, sync, track, tracked


def command(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Paths, or versions as MODEL@v3; all.")
    ] = None,
    remote: Annotated[
        str | None, typer.Option("--remote", "-r", help="Where to; the default remote.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would be sent; send nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Send again what is there: mends a damaged remote.")
    ] = False,
) -> int:
    """Send what pointers, locks and registered models name and the remote lacks.

    Every byte is hashed on its way: a damaged object is refused by name. A push that was cut
    short goes on where it ended, and several may run at once. Records and tags go to the git
    remote, if there is one.
    """
    ctx = context.current()
    project = ctx.project()
    named = remotes.choose(project.settings, remote)
    typed, models = bundles.split(paths or [], ctx.cwd)
    words = [track.relative(project.root, ctx.cwd, word) for word in typed]
    wanted = bundles.named(project.git, models)
    if words or not models:
        wanted += tracked.select(tracked.tracked(project.root, project.git), words)
    if not paths:
        wanted += bundles.held(project.git, project.cache)
    place = remotes.connect(named, project.root)
    plan, index = sync.plan_push(
        project.cache, place, wanted, now=ctx.now(), everything=force, create=not dry_run
    )
    sent = transfer.Sent()
    if not dry_run:
        sent, _ = transfer.push(plan, project.cache, place, index, progress=ctx.progress)
    data = {
        "history": None if dry_run or paths else history.send(ctx, project.git),
        "remote": named.name,
        "url": place.url,
        "dry_run": dry_run,
        "paths": [one.path for one in wanted],
        "objects": plan.objects if dry_run else sent.objects,
        "bytes": plan.bytes if dry_run else sent.bytes,
        "held": plan.held,
        "missing": [part.path for part in plan.absent],
        "requests": plan.requests if dry_run else place.requests.total,
    }
    return ctx.show(data, "mlops.push/1", lambda: _page(plan, sent, named.name, dry_run=dry_run))


def _page(plan: transfer.PushPlan, sent: transfer.Sent, name: str, *, dry_run: bool) -> str:
    if not plan.roots:
        return "Nothing is tracked yet: mlops add data"
    if dry_run:
        lines = [
            f"Would send {text.count(plan.objects, 'object')}, {text.size(plan.bytes)}, in about "
            f"{text.count(plan.requests, 'request')} to {name}"
        ]
        lines += [f"  {text.style('missing', 'red')}  {part.path}" for part in plan.absent[:20]]
        return "\n".join(lines)
    if not sent.objects:
        return f"The remote {name} has everything."
    return f"Sent {text.count(sent.objects, 'object')}, {text.size(sent.bytes)}, to {name}"
