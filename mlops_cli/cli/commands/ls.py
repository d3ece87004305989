"""`mlops ls`: what is tracked, and what lies in it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlops_cli.cli import context, reaching
from mlops_cli.cli.render import text
from mlops_cli.config import find_root
from mlops_cli.workspace import listing, tracked
from mlops_cli.workspace.listing import Listed
from mlops_cli.workspace.listings import listings
from mlops_cli.workspace.words import relative


def command(
    path: Annotated[
        str | None, typer.Argument(help="A tracked path or a folder inside one; or a repository.")
    ] = None,
    inside: Annotated[
        str | None, typer.Argument(help="A path in that repository; all.", show_default=False)
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--rev", help="At this commit instead of the work tree.")
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-R", "-r", help="Go into folders.")
    ] = False,
    long: Annotated[
        bool, typer.Option("--long", "-l", help="Modes, bytes to the last one, whole digests.")
    ] = False,
) -> int:
    """List tracked data, or what lies in a tracked folder, without checking it out.

    A listing that the cache lacks is asked from the remote. Another repository, a URL or a
    folder, is looked into at --rev, or at its default branch.
    """
    ctx = context.current()
    if path is not None and _elsewhere(ctx, path, inside):
        found = _of_repository(ctx, path, inside or "", revision, recursive=recursive)
        data = {"entries": [_plain(one) for one in found]}
        return ctx.show(data, "mlops.ls/1", lambda: _page(found, long=long))
    project = ctx.project()
    git = project.git
    every = tracked.tracked_at(git, revision) if revision else tracked.tracked(project.root, git)
    where = relative(project.root, ctx.cwd, path) if path else ""
    shelf = listings(project.cache, project.settings, project.root, now=ctx.now())
    found = listing.listing(every, where, shelf=shelf, recursive=recursive)
    data = {"entries": [_plain(one) for one in found]}
    return ctx.show(data, "mlops.ls/1", lambda: _page(found, long=long))


def _elsewhere(ctx: context.Context, path: str, inside: str | None) -> bool:
    """Tell whether `path` means another repository, and no path of this project."""
    if inside is not None or "://" in path:
        return True
    from mlops_cli.vcs import address

    root = find_root(ctx.cwd)
    here = root is not None and (ctx.cwd / path).resolve() == root.resolve()
    return not here and address.is_repository(path, ctx.cwd)


def _of_repository(
    ctx: context.Context, url: str, inside: str, revision: str | None, *, recursive: bool
) -> list[Listed]:
    with reaching.cache(ctx) as cache:
        found, supply = reaching.reach(ctx, cache, ctx.cwd).open(url, revision)
        reaching.tell_stale(ctx, found.at.stale)
        around = next((one for one in found.tracked if tracked.related(one.path, inside)), None)
        shelf = supply.shelf(around.remote if around is not None and inside else None)
        return listing.listing(found.tracked, inside, shelf=shelf, recursive=recursive)


def _plain(one: Listed) -> dict[str, Any]:
    return {
        "path": one.path,
        "mode": one.mode,
        "digest": one.digest,
        "size": one.size,
        "files": one.files,
        "source": one.source,
        "step": one.step,
    }


def _page(found: list[Listed], *, long: bool) -> str:
    if not found:
        return "Nothing is tracked yet: mlops add data"
    if long:
        return text.table(
            [
                (
                    one.mode,
                    f"{one.files:,}",
                    f"{one.size:,}",
                    one.digest,
                    one.path + ("/" if one.mode == "dir" else ""),
                    f"step {one.step}" if one.step else "",
                )
                for one in found
            ],
            align="lrrlll",
        )
    rows = [
        (
            one.path + ("/" if one.mode == "dir" else ""),
            text.count(one.files, "file") if one.mode == "dir" else "",
            text.size(one.size),
            text.short(one.digest),
            f"step {one.step}" if one.step else "",
        )
        for one in found
    ]
    return text.table(rows, align="lrrll")
