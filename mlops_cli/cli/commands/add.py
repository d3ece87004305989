"""`mlops add`: put data under version control without putting it into git."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from mlops_cli.cli import context, protecting
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError
from mlops_cli.project import Project
from mlops_cli.workspace import remotes, track, tracked
from mlops_cli.workspace.listings import Listings, listings
from mlops_cli.workspace.pointer import Pointer
from mlops_cli.workspace.probe import probe
from mlops_cli.workspace.tracked import Tracked
from mlops_cli.workspace.words import expand


def command(
    paths: Annotated[list[str], typer.Argument(help="Files, folders or patterns to track.")],
    remote: Annotated[
        str | None, typer.Option("--remote", "-r", help="Keep these in that remote only.")
    ] = None,
    push: Annotated[
        bool | None, typer.Option("--push/--no-push", help="Whether push sends these.")
    ] = None,
    to_remote: Annotated[
        bool,
        typer.Option("--to-remote", help="Send the bytes now, and keep none in the cache."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also over what git has brought since.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would be tracked; store nothing.")
    ] = False,
) -> int:
    """Track data: bytes go to the cache, a small pointer beside them goes to git.

    Adding again what has changed makes a new version. A path inside a tracked folder is put into
    that folder; the rest of it need not be there, and stays in it. What was worked on before git
    brought another pointer is refused: mlops merge keeps both. With --to-remote the disk need
    not hold the bytes twice. Nothing is committed: the pointers and the .gitignore are yours to
    commit.
    """
    ctx = context.current()
    project = ctx.project()
    protecting.settle(ctx, project)
    if remote is not None:
        remotes.choose(project.settings, remote)
    if to_remote and push is False:
        raise UsageError(
            "--to-remote sends what --no-push would keep here",
            code="bad-value",
            hint="give one of them",
        )
    wanted = expand(project.root, ctx.cwd, paths)
    known = tracked.tracked(project.root, project.git)
    keeping = track.Keeping(remote, True if to_remote else push)
    shelf = listings(project.cache, project.settings, project.root, now=ctx.now())
    if dry_run:
        return _tell(ctx, project, wanted, known, shelf, force=force)
    if to_remote:
        added = _straight(ctx, project, wanted, known, shelf, keeping, force=force)
    else:
        added = track.add(
            project.root,
            wanted,
            git=project.git,
            cache=project.cache,
            stats=project.stats,
            tracked=known,
            shelf=shelf,
            keeping=keeping,
            force=force,
            progress=ctx.progress,
        )
    data = {"dry_run": False, "added": [_plain(one) for one in added]}
    return ctx.show(data, "mlops.add/1", lambda: _page(added))


def _straight(
    ctx: context.Context,
    project: Project,
    wanted: list[str],
    known: list[Tracked],
    shelf: Listings,
    keeping: track.Keeping,
    *,
    force: bool,
) -> list[track.Added]:
    """Send the bytes from where they lie to the remote; the pointers are written when all are
    there."""
    from mlops_cli.cli.transfers import warn_uncut
    from mlops_cli.workspace import sync
    from mlops_cli.workspace.onsite import OnSite

    site = OnSite(project.cache, project.stats, ctx.progress)
    taken = track.take(
        project.root,
        wanted,
        git=project.git,
        cache=project.cache,
        stats=project.stats,
        tracked=known,
        shelf=shelf,
        store=site.store,
        force=force,
        progress=ctx.progress,
    )
    cache = replace(project.cache, tiers=(*project.cache.tiers, site))
    due = [_as_tracked(one, keeping) for one in taken]
    for route in remotes.routes(project.settings, due, keeping.remote):
        place = remotes.connect(route.remote, project.root)
        outgoing = sync.plan_push(cache, place, route.tracked, now=ctx.now())
        warn_uncut(ctx, outgoing.plan)
        sync.push(outgoing, cache, place, progress=ctx.progress)
    return [track.keep(project.root, one, keeping) for one in taken]


def _as_tracked(one: track.Taken, keeping: track.Keeping) -> Tracked:
    stored = one.stored
    remote = keeping.remote or (one.former.remote if one.former else None)
    return Tracked(
        one.path,
        stored.digest,
        stored.kind,
        stored.size,
        stored.files,
        f"{one.path}.mlops",
        remote=remote,
    )


def _tell(
    ctx: context.Context,
    project: Project,
    wanted: list[str],
    known: list[Tracked],
    shelf: Listings,
    *,
    force: bool,
) -> int:
    """Say what `add` would track, one row for each path that was named."""
    found = probe(
        project.root,
        wanted,
        git=project.git,
        cache=project.cache,
        stats=project.stats,
        tracked=known,
        shelf=shelf,
        force=force,
        progress=ctx.progress,
    )
    data = {
        "dry_run": True,
        "added": [
            {
                "path": one.path,
                "pointer": f"{one.around or one.path}.mlops",
                "digest": one.stored.digest,
                "kind": one.stored.kind,
                "size": one.stored.size,
                "files": one.stored.files,
                "changed": one.changed,
            }
            for one in found
        ],
    }

    def human() -> str:
        rows = [
            (
                one.path,
                text.count(one.stored.files, "file"),
                text.size(one.stored.size),
                "changed" if one.changed else "unchanged",
            )
            for one in found
        ]
        return text.table(rows, align="lrrl") + "\n\nNothing was stored."

    return ctx.show(data, "mlops.add/1", human)


def _plain(one: track.Added) -> dict[str, Any]:
    return {
        "path": one.pointer.path,
        "pointer": one.pointer.file,
        "digest": one.pointer.digest,
        "kind": one.pointer.kind,
        "size": one.pointer.size,
        "files": one.pointer.files,
        "changed": one.changed,
        "parts": list(one.parts),
        "kept": one.kept,
        "before": one.before,
    }


def _page(added: list[track.Added]) -> str:
    rows = [
        (
            one.pointer.path,
            text.count(one.pointer.files, "file") + _fewer(one),
            text.size(one.pointer.size),
            "tracked" if one.changed else "unchanged",
        )
        for one in added
    ]
    lines = [text.table(rows, align="lrrl")]
    lines += [
        f"{text.count(one.kept, 'file')} of {', '.join(one.parts)} not in the workspace, and kept; "
        "mlops remove takes them out"
        for one in added
        if one.kept
    ]
    changed = [one.pointer for one in added if one.changed]
    if changed:
        ignores = sorted({f"{folder}.gitignore" for folder in map(_folder, changed)})
        files = " ".join([*ignores, *(pointer.file for pointer in changed)])
        lines += ["", f"Commit it with: git add {files}"]
    return "\n".join(lines)


def _fewer(one: track.Added) -> str:
    """Return how many files there were, if there are fewer: the rest may just not be here."""
    return f" ({one.before:,} before)" if one.before and one.before > one.pointer.files else ""


def _folder(pointer: Pointer) -> str:
    folder, slash, _ = pointer.path.rpartition("/")
    return folder + slash
