"""`mlops push`: send data that the remote lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_cli.cli import bundles, context, earlier, history, protecting
from mlops_cli.cli.render import text
from mlops_cli.cli.transfers import Done, plain, warn_uncut
from mlops_cli.errors import MlopsError, NotFound
from mlops_cli.pipeline.traces.published import publish, unsent
from mlops_cli.store.remotes.remote import Requests
from mlops_cli.vcs import exchange
from mlops_cli.workspace import remotes, sync, tracked
from mlops_cli.workspace.price import cost_of_push, price_of
from mlops_cli.workspace.remotes import Route
from mlops_cli.workspace.words import relative

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_cli.cli.eviction import Evicted
    from mlops_cli.config import Settings
    from mlops_cli.project import Project
    from mlops_cli.store.transfer.transfer import PushPlan
    from mlops_cli.workspace.tracked import Tracked

AROUND = 3  # to begin, and at the end to leave a listing and look whether it still holds


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
    older: Annotated[
        bool, typer.Option("--history", help="Also what older commits, of any branch or tag, name.")
    ] = False,
) -> int:
    """Send what pointers, locks and registered models name and the remote lacks.

    A path whose pointer names a remote goes there and nowhere else; one that is not to be pushed
    stays here. Every byte is hashed on its way: a damaged object is refused by name. A push that
    was cut short goes on where it ended, and several may run at once. Records and tags go to the
    git remote, if there is one, whatever becomes of the data.
    """
    ctx = context.current()
    project = ctx.project()
    protecting.settle(ctx, project)
    typed, models = bundles.split(paths or [], ctx.cwd)
    words = [relative(project.root, ctx.cwd, word) for word in typed]
    named = bundles.named(project.git, models)
    if words or not models:
        named += tracked.select(tracked.tracked(project.root, project.git), words)
    if not paths:
        named += bundles.held(project.git, project.cache, ctx.warn)
    if older:
        named += _older(ctx, project, words, named)
    wanted = [one for one in named if one.push]
    kept = [one.path for one in named if not one.push]
    astray = remotes.astray(project.settings, wanted, remote)
    routed = [one for one in wanted if one not in astray]
    done: list[tuple[PushPlan, Done]] = []
    failure: MlopsError | None = None
    for route in remotes.routes(project.settings, routed, remote):
        try:
            done.append(_send(route, dry_run=dry_run, force=force, runs=not paths))
        except MlopsError as exc:
            failure = failure or exc  # told at the end: the other remotes get theirs
    sent = None
    if not (dry_run or paths):
        sent = history.send(ctx, project.git, alone=not (done or failure or astray))
    if failure is not None:
        raise failure
    if astray or not (done or exchange.remote_of(project.git)):
        raise _nowhere(project.settings, astray, sent)
    evicted = None if dry_run else _evict(ctx, project)
    data = {
        "history": sent,
        "evicted": evicted and {"objects": evicted.objects, "bytes": evicted.bytes},
        "remote": done[0][1].name if done else None,
        "url": done[0][1].url if done else None,
        "dry_run": dry_run,
        "paths": list(dict.fromkeys(one.path for one in wanted)),
        "kept": kept,
        "held": sum(plan.held for plan, _ in done),
        "runs": sum(one.runs for _, one in done),
        "missing": [part.path for plan, _ in done for part in plan.absent],
        **plain([one for _, one in done]),
    }
    return ctx.show(data, "mlops.push/1", lambda: _page(done, data, project.settings))


def _nowhere(
    settings: Settings, astray: Sequence[Tracked], sent: Mapping[str, Any] | None
) -> NotFound:
    """Return the error for data that no remote is for, or for a project without any remote."""
    paths = list(dict.fromkeys(one.path for one in astray))
    error = remotes.none_yet(settings)
    lost = [f"{text.count(len(paths), 'path')} went nowhere"] if paths else []
    went = [f"records and tags are at {sent['remote']}"] if sent else []
    error.message = "; ".join([error.message, *lost, *went])
    error.details |= {"paths": paths, "history": sent}
    return error


def _older(
    ctx: context.Context, project: Project, words: list[str], now: list[Tracked]
) -> list[Tracked]:
    """Return what older commits tracked, as far as it is in the cache."""
    found = earlier.versions(project.git, words, now)
    here = [one for one in found if project.cache.has(one.digest)]
    if gone := len(found) - len(here):
        ctx.warn(f"{text.count(gone, 'older version')} of tracked paths are not in this cache.")
    return here


def _evict(ctx: context.Context, project: Project) -> Evicted | None:
    if project.settings.get("cache.budget") is None:
        return None
    from mlops_cli.cli.eviction import evict_after_push  # brings all that gc needs

    return evict_after_push(ctx, project)


def _send(route: Route, *, dry_run: bool, force: bool, runs: bool) -> tuple[PushPlan, Done]:
    ctx = context.current()
    project = ctx.project()
    place = remotes.connect(route.remote, project.root)
    outgoing = sync.plan_push(project.cache, place, route.tracked, now=ctx.now(), everything=force)
    plan, requests = outgoing.plan, place.requests
    warn_uncut(ctx, plan)
    objects, size, published = plan.objects, plan.bytes, 0
    if not dry_run:
        sent, index = sync.push(outgoing, project.cache, place, progress=ctx.progress)
        objects, size = sent.objects, sent.bytes
        if runs and route.remote.default and unsent(project.cache.root, place.id):
            published = publish(project.cache, place, index)
    elif objects:
        writes = requests.writes + plan.requests + AROUND
        requests = Requests(requests.lists, requests.reads, writes)
    price = price_of(route.remote.options)
    cost = cost_of_push(price, size, reads=requests.reads, writes=requests.writes + requests.lists)
    at_most = dry_run and plan.at_most and not plan.uncut
    return plan, Done(route, place.url, objects, size, requests, cost, at_most, published)


def _page(
    done: Sequence[tuple[PushPlan, Done]], data: Mapping[str, Any], settings: Settings
) -> str:
    lines = []
    for plan, one in done:
        if data["dry_run"]:
            lines.append(f"Would send {one.amount}, in about {one.asked} to {one.name}")
            lines += [f"  {text.style('missing', 'red')}  {part.path}" for part in plan.absent[:20]]
        elif one.objects:
            lines.append(f"Sent {one.amount}, to {one.name} in {one.asked}")
        elif plan.roots:
            lines.append(f"The remote {one.name} has everything.")
        elif one.runs:
            pass
        else:
            continue
        if one.runs:
            lines.append(f"Shared {text.count(one.runs, 'result')} with runs elsewhere.")
        lines += one.costs()
    evicted, sent = data["evicted"], data["history"]
    if evicted and evicted["objects"]:
        amount = f"{text.count(evicted['objects'], 'object')}, {text.size(evicted['bytes'])}"
        lines.append(f"Evicted {amount}: the cache keeps to its budget")
    if data["kept"]:
        lines.append(f"Kept here, as their pointers say: {', '.join(data['kept'])}")
    if sent and (sent["refs"] or sent["tags"]):
        went = [f"records of {text.count(sent['refs'], 'writer')}"] if sent["refs"] else []
        went += [text.count(sent["tags"], "tag")] if sent["tags"] else []
        lines.append(f"Sent {' and '.join(went)} to {sent['remote']}.")
    elif sent and not done:
        lines.append(f"{sent['remote']} has all records and tags.")
    if not done:
        none = remotes.none_yet(settings)
        lines.append(f"No data went: {none.message}: {none.hint}")
    return "\n".join(lines) or "Nothing is tracked yet: mlops add data"
