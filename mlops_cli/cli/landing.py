"""What a run made, sent at once: its data, its commit, its records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_cli.errors import StateRefused
from mlops_cli.vcs import exchange

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.project import Project


def remote_for(project: Project) -> str:
    """Return the git remote that a run is pushed to. Raises StateRefused ("no-git-remote")."""
    remote = exchange.remote_of(project.git)
    if remote is None:
        raise StateRefused(
            "there is no git remote to push to",
            code="no-git-remote",
            hint="git remote add origin URL",
        )
    return remote


def land(ctx: Context, project: Project, remote: str) -> dict[str, Any]:
    """Send data, the branch and the records; others may push at the same time.

    Raises StateRefused ("diverged", "no-branch"), OutsideWorld.
    """
    from mlops_cli.cli import history
    from mlops_cli.cli.delivering import deliver
    from mlops_cli.cli.following import follow
    from mlops_cli.vcs import landing
    from mlops_cli.vcs.outgoing import Update

    def before(commit: str, there: str | None) -> None:
        deliver(ctx, project, [Update("HEAD", commit, there)], remote)

    history.send_waiting(ctx, project.git, remote)
    landed = landing.land(project.git, remote, before=before)
    if landed.moved:
        follow(ctx, "post-merge", [])
    return {"remote": remote, "branch": landed.branch, "commit": landed.commit}
