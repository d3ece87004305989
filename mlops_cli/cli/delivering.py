"""Before a `git push`: the data that its commits name goes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_cli.cli import history

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.project import Project
    from mlops_cli.vcs.outgoing import Update
    from mlops_cli.workspace.tracked import Tracked


def deliver(ctx: Context, project: Project, updates: Sequence[Update], remote: str) -> list[str]:
    """Send the data of the commits that are pushed to the git remote; return the paths sent.

    Of the tips, all of it must arrive; of the commits before them, what is here. Asks nobody
    where all is known to be there. Raises as `mlops push` does.
    """
    from mlops_cli.workspace.remotes import recall, remotes, routes
    from mlops_cli.workspace.sync import outstanding

    known = remotes(project.settings)
    if not known or not any(one.here for one in updates):
        return []
    wanted = _named(project, updates, remote)
    indexes = {one.name: recall(one, project.root, project.cache.root) for one in known}
    index = next((indexes[one.name] for one in known if one.default), None)
    rows = outstanding(project.cache, wanted, index, indexes).rows
    due = [row.tracked for row in rows if row.tracked.push and row.pushed is not True]
    for route in routes(project.settings, due) if due else ():
        from mlops_cli.cli.transfers import warn_uncut
        from mlops_cli.workspace import sync
        from mlops_cli.workspace.remotes import connect

        place = connect(route.remote, project.root)
        outgoing = sync.plan_push(project.cache, place, route.tracked, now=ctx.now())
        warn_uncut(ctx, outgoing.plan)
        sync.push(outgoing, project.cache, place, progress=ctx.progress)
    if due:
        history.send(ctx, project.git)
    return sorted({one.path for one in due})


def _named(project: Project, updates: Sequence[Update], remote: str) -> list[Tracked]:
    from mlops_cli.vcs.outgoing import brought
    from mlops_cli.workspace.sync import lacking
    from mlops_cli.workspace.tracked import LOCKS, entries, tracked_at

    tips = [one.here for one in updates if one.here is not None]
    needed = {(one.path, one.digest): one for tip in tips for one in tracked_at(project.git, tip)}
    files = brought(
        project.git,
        updates,
        remote=remote,
        wanted=lambda path: path.endswith(".mlops") or path.startswith(LOCKS + "/"),
    )
    passed = {
        (one.path, one.digest): one
        for path, data in files
        for one in entries(path, data)
        if (one.path, one.digest) not in needed
    }
    gone = {(one.path, one.digest) for one in lacking(project.cache, list(passed.values()))}
    return [*needed.values(), *(one for key, one in passed.items() if key not in gone)]
