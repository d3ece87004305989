"""`mlops pull`: fetch data that is missing here, and check it out."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_cli.cli import bundles, context, earlier, history, protecting, refetching, transfers
from mlops_cli.cli.commands.checkout import link_kind, page, plain
from mlops_cli.cli.render import text
from mlops_cli.cli.transfers import Done
from mlops_cli.errors import IntegrityError, MlopsError, NotFound
from mlops_cli.store.remotes.remote import PART, Requests
from mlops_cli.store.remotes.url import absolute_url
from mlops_cli.workspace import checkout, footing, part, remotes, sync, tracked
from mlops_cli.workspace.listings import listings
from mlops_cli.workspace.price import cost_of_pull, price_of
from mlops_cli.workspace.remotes import Route
from mlops_cli.workspace.target import Target, targets
from mlops_cli.workspace.words import relative


def command(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Paths, or versions as MODEL@v3; all.")
    ] = None,
    remote: Annotated[
        str | None, typer.Option("--remote", "-r", help="Where from; the default remote.")
    ] = None,
    no_checkout: Annotated[
        bool, typer.Option("--no-checkout", help="Fetch into the cache; leave the workspace.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Check out also over bytes that are stored nowhere.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would be fetched; fetch nothing.")
    ] = False,
    link: Annotated[
        str | None, typer.Option("--link", help="auto, copy, hardlink or symlink.")
    ] = None,
    older: Annotated[
        bool,
        typer.Option("--history", help="Also what older commits, of any branch or tag, name."),
    ] = False,
) -> int:
    """Fetch what pointers and locks name and the cache lacks, then check it out.

    What was imported comes from its source where no remote has it.
    Models that an alias stands for are fetched as well, and records and tags from the git remote;
    what older commits name, and older versions of models, with --history, into the cache alone.

    A path inside a tracked folder brings just that part.

    Every byte is hashed before it is used; wrong ones are set aside. What one path lacks does not
    keep the others from being checked out.
    """
    ctx = context.current()
    project = ctx.project()
    protecting.settle(ctx, project)
    kind = link_kind(link or str(project.settings.get("cache.link")))
    typed, models = bundles.split(paths or [], ctx.cwd)
    # first: the tags that come say which models are wanted; a model is no use without its records
    came = None if dry_run or (typed and not models) else history.receive(ctx, project.git)
    words = [relative(project.root, ctx.cwd, word) for word in typed]
    named = list[Target]()
    if words or not models:
        shelf = listings(project.cache, project.settings, project.root, now=ctx.now())
        every = tracked.tracked(project.root, project.git)
        named = targets(every, [_importable(every, word) for word in words], shelf)
    wanted = [one.tracked for one in named]
    # bundles are only fetched: they have no place in the workspace
    carried = (
        bundles.named(project.git, models) if paths else bundles.current(project.git, ctx.warn)
    )
    if older:
        carried += [] if words or models else bundles.every(project.git, ctx.warn)
        found = earlier.versions(project.git, words, [*wanted, *carried])
        carried += [one for one in found if one.push]
    imported, others = refetching.split(sync.lacking(project.cache, [*wanted, *carried]))
    lacking, kept = (
        [one for one in others if one.push],
        [one.path for one in others if not one.push],
    )
    astray = remotes.astray(project.settings, lacking, remote)
    routed = [one for one in lacking if one not in astray]
    routes = remotes.routes(project.settings, routed, remote)
    done, steps, failures = list[Done](), list[checkout.Step](), list[MlopsError]()
    lost = list[MlopsError]()
    if imported and not dry_run:

        def from_remote(one: tracked.Tracked) -> None:
            for route in remotes.routes(project.settings, [one], remote):
                _bring(route)

        lost = refetching.refetch(ctx, project, imported, from_remote)
    for route in routes:
        try:
            done.append(_plan(route) if dry_run or not route.tracked else _bring(route))
        except MlopsError as exc:
            failures.append(exc)  # told at the end: the rest has come and is wanted
    if failures and not isinstance(failures[0], NotFound | IntegrityError):
        raise failures[0]
    failures += lost
    if astray:
        error = remotes.none_yet(project.settings)
        error.message += f"; {text.count(len(astray), 'path')} lacking"
        error.details["paths"] = [one.path for one in astray]
        failures.append(error)
    if not (no_checkout or dry_run):
        some = bool(failures or kept)
        still = {one.path for one in sync.lacking(project.cache, wanted)} if some else set()
        ready = [one for one in named if one.tracked.path not in still]
        steps = checkout.plan_targets(project.root, ready, cache=project.cache, stats=project.stats)
        checkout.carry_out(steps, link=kind, overwrite=force, progress=ctx.progress)
        footing.settle(project.root, [one.tracked for one in ready])
    if failures:
        raise failures[0]
    data = {
        "history": came,
        "remote": routes[0].remote.name if routes else None,
        "dry_run": dry_run,
        "lacking": [one.path for one in (*imported, *lacking)],
        "imports": [] if dry_run else [one.path for one in imported],
        "kept": kept,
        "paths": [plain(step) for step in steps],
        **transfers.plain(done),
    }

    def human() -> str:
        lines = []
        for one in done:
            if dry_run and one.objects:
                rows = [(member.path, text.size(member.size)) for member in one.route.tracked]
                lines.append(text.table(rows, align="lr"))
                lines.append(f"Would fetch {one.amount}, in about {one.asked} from {one.name}")
                lines += one.costs()
            elif one.objects:
                lines.append(f"Fetched {one.amount}, from {one.name} in {one.asked}")
                lines += one.costs()
        if imported:
            verb = "Would fetch" if dry_run else "Fetched"
            lines.append(f"{verb} from where it was imported: {', '.join(map(_path, imported))}")
        if kept:
            lines.append(f"On no remote, as their pointers say: {', '.join(kept)}")
        if not (no_checkout or dry_run) and (steps or not carried):
            lines.append(page(steps, dry_run=False))
        return "\n".join(lines) or "Nothing is missing here."

    return ctx.show(data, "mlops.pull/1", human)


def _importable(every: list[tracked.Tracked], path: str) -> str:
    """Return `path`, or the import in which it lies: an import comes as a whole."""
    folder = part.around(every, path)
    return path if folder is None or folder.pin is None else folder.path


def _path(one: tracked.Tracked) -> str:
    return one.path


def _bring(route: Route) -> Done:
    ctx = context.current()
    project = ctx.project()
    place = remotes.connect(route.remote, project.root)
    came = sync.fetch(project.cache, place, route.tracked, now=ctx.now(), progress=ctx.progress)
    return _done(route, place.url, came.objects, came.bytes, place.requests)


def _plan(route: Route) -> Done:
    """Return what a fetch would bring at most; nobody is asked."""
    objects = sum(one.files for one in route.tracked)
    size = sum(one.size for one in route.tracked)
    reads = (1 + len(route.tracked) + -(-size // PART)) if objects else 0
    url = absolute_url(route.remote.url, context.current().project().root)
    requests = Requests(lists=1 if objects else 0, reads=reads)
    return _done(route, url, objects, size, requests, at_most=True)


def _done(
    route: Route, url: str, objects: int, size: int, requests: Requests, *, at_most: bool = False
) -> Done:
    price = price_of(route.remote.options)
    cost = cost_of_pull(price, size, reads=requests.reads, writes=requests.writes + requests.lists)
    return Done(route, url, objects, size, requests, cost, at_most)
