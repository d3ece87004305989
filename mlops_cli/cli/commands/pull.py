"""`mlops pull`: fetch data that is missing here, and check it out."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_cli.cli import bundles, context, history
from mlops_cli.cli.commands.checkout import link_kind, page, plain
from mlops_cli.cli.render import text
from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.store.fetch import Fetched
from mlops_cli.workspace import checkout, remotes, sync, track, tracked


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
) -> int:
    """Fetch what pointers and locks name and the cache lacks, then check it out.

    Models that an alias stands for are fetched as well, and records and tags from the git remote.

    Every byte is hashed before it is used; wrong ones are set aside. What one path lacks does not
    keep the others from being checked out.
    """
    ctx = context.current()
    project = ctx.project()
    named = remotes.choose(project.settings, remote)
    # first: the tags that come say which models are wanted
    came = None if dry_run or paths else history.receive(ctx, project.git)
    kind = link_kind(link or str(project.settings.get("cache.link")))
    typed, models = bundles.split(paths or [], ctx.cwd)
    words = [track.relative(project.root, ctx.cwd, word) for word in typed]
    wanted = list[tracked.Tracked]()
    if words or not models:
        wanted = tracked.select(tracked.tracked(project.root, project.git), words)
    # bundles are only fetched: they have no place in the workspace
    carried = bundles.named(project.git, models) if paths else bundles.current(project.git)
    lacking = sync.lacking(project.cache, [*wanted, *carried])
    fetched, steps, failure = Fetched(), list[checkout.Step](), None
    if lacking and not dry_run:
        place = remotes.connect(named, project.root)
        try:
            fetched = sync.fetch(
                project.cache, place, lacking, now=ctx.now(), progress=ctx.progress
            )
        except (NotFound, IntegrityError) as exc:
            failure = exc  # told at the end: the rest has come and is wanted
    if not (no_checkout or dry_run):
        still = {one.path for one in sync.lacking(project.cache, wanted)} if failure else set()
        ready = [one for one in wanted if one.path not in still]
        steps = checkout.plan_checkout(
            project.root, ready, cache=project.cache, stats=project.stats
        )
        checkout.carry_out(steps, link=kind, overwrite=force, progress=ctx.progress)
    if failure is not None:
        raise failure
    data = {
        "history": came,
        "remote": named.name,
        "dry_run": dry_run,
        "lacking": [one.path for one in lacking],
        "objects": fetched.objects,
        "bytes": fetched.bytes,
        "paths": [plain(step) for step in steps],
    }

    def human() -> str:
        if dry_run:
            rows = [(one.path, text.size(one.size)) for one in lacking]
            return text.table(rows, align="lr") if rows else "Nothing is missing here."
        lines = []
        if fetched.objects:
            lines.append(
                f"Fetched {text.count(fetched.objects, 'object')}, {text.size(fetched.bytes)}, "
                f"from {named.name}"
            )
        if not no_checkout:
            lines.append(page(steps, dry_run=False))
        return "\n".join(lines) or "Nothing is missing here."

    return ctx.show(data, "mlops.pull/1", human)
