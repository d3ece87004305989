"""`mlops update`: bring imports to what their source has now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlops_cli.cli import context, reaching
from mlops_cli.cli.commands.checkout import link_kind
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError
from mlops_cli.workspace import imports, tracked, update
from mlops_cli.workspace.pin import GitPin, pin_of
from mlops_cli.workspace.words import relative

_WORDS = {
    "current": "nothing new",
    "fixed": "a commit, which never moves; --rev names another",
    "moved": "new there, the same bytes",
    "changed": "changed",
    "unknown": "cannot be told without fetching it",
}


def command(
    paths: Annotated[list[str] | None, typer.Argument(help="Imports; all of them.")] = None,
    revision: Annotated[
        str | None, typer.Option("--rev", help="What git imports shall follow from now on.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what is new; change nothing.")
    ] = False,
) -> int:
    """Ask the source of each import what it has now; fetch it, and move the pin in the pointer.

    Nothing is written over bytes that were changed here. A source that cannot be asked is an
    error, and nothing is updated.
    """
    ctx = context.current()
    project = ctx.project()
    words = [relative(project.root, ctx.cwd, word) for word in paths or []]
    every = tracked.select(tracked.tracked(project.root, project.git), words)
    wanted = update.imported(every, named=bool(words))
    if revision is not None:
        wanted = _of_git(wanted, named=bool(words))
    reach = reaching.reach(ctx, project.cache, project.root)
    changes = update.plan_update(reach, wanted, revision=revision)
    if not dry_run:
        link = link_kind(str(project.settings.get("cache.link")))
        hand = imports.Hand(project.root, project.cache, project.stats, link, ctx.progress)
        changes = update.carry_out(reach, hand, changes, revision=revision)
    data = {"dry_run": dry_run, "imports": [_plain(change) for change in changes]}
    return ctx.show(data, "mlops.update/1", lambda: _page(changes, dry_run=dry_run))


def _of_git(found: list[tracked.Tracked], *, named: bool) -> list[tracked.Tracked]:
    of_git = [one for one in found if isinstance(pin_of(one), GitPin)]
    if named and len(of_git) < len(found):
        other = next(one for one in found if one not in of_git)
        raise UsageError(
            f"{other.path} comes from a URL, which has no revisions",
            code="bad-options",
            hint=f"mlops update {other.path}",
        )
    return of_git


def _plain(change: update.Change) -> dict[str, Any]:
    return {
        "path": change.tracked.path,
        "url": change.old.url,
        "state": change.state,
        "old": str(change.old),
        "new": change.new,
        "old_digest": change.tracked.digest,
        "digest": change.digest,
    }


def _page(changes: list[update.Change], *, dry_run: bool) -> str:
    if not changes:
        return "Nothing was imported: mlops import git URL PATH, or mlops import url URL"
    rows = [
        (
            change.tracked.path,
            str(change.old) if change.new == str(change.old) else f"{change.old} → {change.new}",
            _WORDS[change.state],
        )
        for change in changes
    ]
    lines = [text.table(rows)]
    new = [one.tracked.source for one in changes if one.state not in ("current", "fixed")]
    if new and dry_run:
        lines += ["", "Nothing was changed."]
    elif new:
        lines += ["", f"Commit it with: git add {' '.join(new)}"]
    return "\n".join(lines)
