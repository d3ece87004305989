"""The cache keeps to its budget: what gc and push do about it."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_cli import config, quantities
from mlops_cli.cli.context import Context
from mlops_cli.cli.needs import Asker, others
from mlops_cli.errors import OutsideWorld, StateRefused, UsageError
from mlops_cli.project import Project
from mlops_cli.store.space import evict, removal
from mlops_cli.store.space.collect import Named
from mlops_cli.store.space.evict import Eviction
from mlops_cli.store.space.mark import Marked, mark
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import copies, remotes, roots
from mlops_cli.workspace.copies import Copies


@dataclass(frozen=True, slots=True)
class Evicted:
    """What was planned, and what went: how many objects, and how many bytes that freed."""

    plan: Eviction
    objects: int
    bytes: int


def evict_now(
    ctx: Context, project: Project, *, answers: Copies | None = None, dry_run: bool = False
) -> Evicted:
    """Evict until the cache keeps to `cache.budget`; `answers` spares asking the remotes again.

    Whoever calls this holds `removal.alone`, unless it is for a `dry_run`.
    Raises UsageError ("no-budget").
    """
    budget = project.settings.get("cache.budget")
    if budget is None:
        raise UsageError(
            "there is no budget to keep to",
            code="no-budget",
            hint="mlops config set cache.budget 50GB",
        )
    now, cache = ctx.now(), project.cache
    if removal.disk_use(cache) <= quantities.size(budget):  # the usual case asks nobody
        return Evicted(Eviction(removal.disk_use(cache), quantities.size(budget), {}, 0), 0, 0)
    heard = answers or copies.ask(
        remotes.remotes(project.settings), project.root, cache.root, now=now
    )
    plan = evict.plan(
        cache,
        quantities.size(budget),
        roots=Asker(project).needs().now.digests,
        stay=_stay(ctx, project),
        verified=lambda raws: heard.verified(raws, now=now, progress=ctx.progress),
        now=int(now.timestamp()),
    )
    gone = plan.goes if dry_run else evict.carry_out(cache, plan)
    return Evicted(plan, len(gone), sum(gone.values()))


def evict_after_push(ctx: Context, project: Project) -> Evicted | None:
    """Evict as `evict_now` does; what keeps it from that is only told."""
    try:
        with removal.alone(project.cache):
            return evict_now(ctx, project)
    except (StateRefused, OutsideWorld) as exc:
        ctx.warn(f"The cache was not brought to its budget: {exc.message}.")
        return None


def in_use(project: Project) -> Marked:
    """Return what work trees and HEADs of all projects in the cache name."""
    found = Marked()
    for root in (project.root, *others(project)):
        _reach(project, roots.in_workspace(root, Git(root)), found)
    return found


def _stay(ctx: Context, project: Project) -> set[bytes]:
    """Return what is pinned, and what a work tree may lead to by symlinks."""
    found = Marked()
    for root in (project.root, *others(project)):
        git = Git(root)
        _reach(project, roots.pins(root, git), found)
        settings = config.load(root, environment=ctx.environment, home=ctx.home)
        if settings.get("cache.link") == "symlink":
            _reach(project, roots.in_workspace(root, git), found)
    return found.reached


def _reach(project: Project, named: Named, found: Marked) -> None:
    mark(project.cache, named.digests, named.trees, found)
