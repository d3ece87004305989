"""`mlops checkout`: bring data in the workspace to what git says."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer

from mlops_cli.cli import context, protecting, revisions
from mlops_cli.cli.render import text
from mlops_cli.errors import NotFound, UsageError
from mlops_cli.project import Project
from mlops_cli.store.files.materialize import LinkKind
from mlops_cli.workspace import checkout, footing, tracked
from mlops_cli.workspace.listings import Listings, listings
from mlops_cli.workspace.target import Target, targets
from mlops_cli.workspace.words import relative

LINKS = ("auto", "copy", "hardlink", "symlink")


def command(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH[@REV]]...", help="What to check out; all."),
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--rev", help="The data of this commit, not of the work tree.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="Into this folder, not into the workspace.")
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch first what the cache lacks, and only that.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also over bytes that are stored nowhere.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would happen; change nothing.")
    ] = False,
    link: Annotated[
        str | None, typer.Option("--link", help="auto, copy, hardlink or symlink.")
    ] = None,
) -> int:
    """Write the files that pointers and locks name, remove those that they do not.

    A path inside a tracked folder brings just that part. `data@v1.0` brings data as it was, and
    leaves pointers and git as they are. Files whose bytes are in no cache are never overwritten
    or removed unless --force is given.
    """
    ctx = context.current()
    project = ctx.project()
    protecting.settle(ctx, project)
    kind = link_kind(link or str(project.settings.get("cache.link")))
    named = [_named(ctx, word, revision) for word in paths or [""]]
    place = ctx.cwd / to if to else None
    try:
        wanted = _targets(ctx, project, named, ask=fetch)
        if fetch and not dry_run:
            _fetch(ctx, project, wanted)
        steps = checkout.plan_targets(
            project.root, wanted, cache=project.cache, stats=project.stats, to=place
        )
    except NotFound as exc:
        # pull brings what is whole and of now
        if exc.code == "missing-object" and (fetch or to or any(at for _, at in named)):
            exc.hint = "the same command with --fetch" if not fetch else "mlops push, where it is"
        raise
    if not dry_run:
        checkout.carry_out(steps, link=kind, overwrite=force, progress=ctx.progress)
        if to is None:
            footing.settle(project.root, [one.tracked for one in wanted])
    data = {"dry_run": dry_run, "to": to, "paths": [plain(step) for step in steps]}
    return ctx.show(data, "mlops.checkout/1", lambda: page(steps, dry_run=dry_run))


def _named(ctx: context.Context, word: str, revision: str | None) -> tuple[str, str | None]:
    """Return path and revision of one word. Raises UsageError where there are two revisions."""
    path, at = revisions.split(word, ctx.cwd)
    if at and revision:
        raise UsageError(
            f"{word} names a revision, and --rev {revision} another one",
            code="bad-value",
            hint="give one of them",
        )
    return path, at or revision


def _targets(
    ctx: context.Context,
    project: Project,
    named: list[tuple[str, str | None]],
    *,
    ask: bool,
) -> list[Target]:
    """Return what was named; `ask` says that listings may be asked from the remote."""
    shelf = Listings(project.cache)
    if ask:
        shelf = listings(project.cache, project.settings, project.root, now=ctx.now())
    found: list[Target] = []
    for at in dict.fromkeys(at for _, at in named):
        paths = [relative(project.root, ctx.cwd, path) for path, rev in named if rev == at]
        every = (
            tracked.tracked_at(project.git, at)
            if at
            else tracked.tracked(project.root, project.git)
        )
        found += targets(every, paths, shelf)
    return found


def _fetch(ctx: context.Context, project: Project, wanted: list[Target]) -> None:
    from mlops_cli.workspace import remotes, sync

    lacking = sync.lacking(project.cache, [target.tracked for target in wanted])
    if not lacking:
        return
    for route in remotes.routes(project.settings, lacking):
        remote = remotes.connect(route.remote, project.root)
        sync.fetch(project.cache, remote, route.tracked, now=ctx.now(), progress=ctx.progress)


def link_kind(word: str) -> LinkKind:
    """Return the kind of link that `word` names. Raises UsageError ("bad-value")."""
    if word not in LINKS:
        raise UsageError(
            f"{word!r} is no kind of link", code="bad-value", hint="one of: " + ", ".join(LINKS)
        )
    return cast(LinkKind, word)


def plain(step: checkout.Step) -> dict[str, Any]:
    """Return a step as it stands in the JSON document."""
    plan = step.plan
    return {
        "path": step.place,
        "digest": step.tracked.digest,
        "created": len(plan.create),
        "replaced": len(plan.replace),
        "deleted": len(plan.delete),
        "bytes": plan.size,
        "unsaved": step.unsaved,
    }


def page(steps: list[checkout.Step], *, dry_run: bool) -> str:
    """Return what a person reads: one line for each path that changed."""
    changed = [step for step in steps if step.changes]
    if not changed:
        return "Nothing is tracked yet." if not steps else "The workspace is as git says."
    rows = []
    for step in changed:
        plan = step.plan
        words = [
            f"{count} {word}"
            for count, word in (
                (len(plan.create), "created"),
                (len(plan.replace), "replaced"),
                (len(plan.delete), "deleted"),
            )
            if count
        ]
        unsaved = text.style(f"{len(step.unsaved)} unsaved", "red") if step.unsaved else ""
        rows.append((step.place, ", ".join(words), text.size(plan.size), unsaved))
    lines = [text.table(rows, align="llrl")]
    if dry_run:
        lines += ["", "Nothing was changed."]
    return "\n".join(lines)
