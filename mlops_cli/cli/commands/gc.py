"""`mlops gc`: free the disk of what nothing needs, and never of the only copy of anything."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Set
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_cli import quantities
from mlops_cli.cli import context, history
from mlops_cli.cli.eviction import evict_now, in_use
from mlops_cli.cli.needs import Asker
from mlops_cli.cli.render import gc as page
from mlops_cli.errors import OutsideWorld, StateRefused, UsageError
from mlops_cli.project import Project
from mlops_cli.store.chunks import CHUNKED_FROM
from mlops_cli.store.condemned import Moment
from mlops_cli.store.digest import Digest
from mlops_cli.store.space import collect, removal
from mlops_cli.store.space.fold import Folded, fold
from mlops_cli.workspace import copies, remotes

if TYPE_CHECKING:
    from mlops_cli.ledger.fold import Plan

IDLE = timedelta(days=30)  # of a writer, whose ledger is then folded


def command(
    digests: Annotated[
        list[str] | None, typer.Argument(help="Objects that may go though no remote has them.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")
    ] = False,
    grace: Annotated[
        str | None, typer.Option("--grace", help="How long unneeded data stays; gc.grace.")
    ] = None,
    unpushed: Annotated[
        bool, typer.Option("--unpushed", help="Let go what no commit names and no remote holds.")
    ] = False,
    compact: Annotated[
        bool,
        typer.Option("--compact", help="Fold old large files and idle ledgers; merge packs."),
    ] = False,
    evict: Annotated[
        bool, typer.Option("--evict", help="Keep to cache.budget: drop what remotes have.")
    ] = False,
) -> int:
    """Remove from the cache what nothing needs: neither a branch, tag, stash, reflog or index,
    nor files in the workspace, registered models, records, environments, pins or other projects.

    An object goes when two runs, the grace period apart, found that nothing needs it, and a
    remote holds it. What is needed may be evicted, once its copy on a remote was read and
    hashed; mlops pull brings it back. Safe in cron: may be killed, and waits for nobody long.
    """
    ctx = context.current()
    project = ctx.project()
    period = _grace(grace or project.settings.get("gc.grace"))
    named = {Digest.parse(word).raw for word in digests or ()}
    asker, answers = Asker(project), copies.Copies(())

    def held(raws: Set[bytes]) -> set[bytes]:
        nonlocal answers
        known = remotes.remotes(project.settings)
        answers = copies.ask(known, project.root, project.cache.root, now=ctx.now())
        return answers.held(raws)

    with contextlib.nullcontext() if dry_run else removal.alone(project.cache):
        outlook = collect.plan(
            project.cache,
            asker.needs(),
            now=_moment(ctx),
            grace=period,
            held=held,
            unpushed=unpushed,
            named=named,
            dry_run=dry_run,
        )
        removed = outlook.ripe
        if not dry_run:
            removed = collect.sweep(project.cache, outlook, again=asker.needs, merge=compact)
        evicted = evict_now(ctx, project, dry_run=dry_run) if evict else None
        folded = _fold(ctx, project, dry_run=dry_run) if compact else None
    ledger = _fold_ledger(ctx, project, dry_run=dry_run) if compact else None
    done = page.Done(outlook, removed, answers.unheard, evicted, folded, ledger)
    told = [f"The remote {each}; what only it holds stays." for each in done.unheard]
    return ctx.show(
        page.plain(done, dry_run=dry_run),
        "mlops.gc/1",
        lambda: page.page(done, period, dry_run=dry_run),
        warnings=told,
    )


def _fold(ctx: context.Context, project: Project, *, dry_run: bool) -> Folded:
    """Fold large objects that no work tree needs and nothing links to."""
    used, chosen = in_use(project).reached, []
    for digest in project.cache.objects.iterate():
        with contextlib.suppress(FileNotFoundError):
            found = project.cache.objects.path(digest).stat()
            large = found.st_size >= CHUNKED_FROM and found.st_nlink == 1
            if large and digest.raw not in used:
                chosen.append(digest)
    if dry_run:
        sizes = [project.cache.objects.size(digest) or 0 for digest in chosen]
        return Folded(len(chosen), sum(sizes), 0)
    compress = bool(project.settings.get("cache.compress"))
    return fold(project.cache, chosen, compress=compress, progress=ctx.progress)


def _fold_ledger(ctx: context.Context, project: Project, *, dry_run: bool) -> Plan | None:
    """Fold the ledgers of writers who wrote nothing for a month, as mlops runs compact does; a git
    remote that cannot be asked is no reason to fail."""
    try:
        return history.fold(ctx, project.git, older=IDLE, dry_run=dry_run)[1]
    except (OutsideWorld, StateRefused) as exc:
        ctx.warn(f"the ledger was not folded: {exc.message}")
        return None


def _grace(said: str) -> int:
    try:
        return quantities.duration(said)
    except ValueError:
        raise UsageError(
            f"{said!r} is no duration", code="bad-options", hint="--grace 12h, 1d, 2w or 0"
        ) from None


def _moment(ctx: context.Context) -> Moment:
    """Return the time by both clocks; only by the calendar where a test or replay sets it."""
    calendar = int(ctx.now().timestamp())
    if ctx.environment.get("MLOPS_NOW"):
        return Moment(calendar)
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
    except OSError:
        return Moment(calendar)
    return Moment(calendar, int(time.clock_gettime(time.CLOCK_BOOTTIME)), boot)
