"""Records and tags travel with the data, which a plain git push and git clone leave behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_cli.errors import OutsideWorld
from mlops_cli.vcs import exchange

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.vcs.repo import Git


def send(ctx: Context, git: Git) -> dict[str, Any] | None:
    """Push ledger and registry to the git remote; return its name, None where there is none."""
    remote = exchange.remote_of(git)
    if remote is None:
        return None
    try:
        exchange.send(git, remote, ctx.settings.get("ledger.branch"))
    except OutsideWorld as exc:  # the data went; records stay here until the next push
        ctx.warn(f"records and tags were not sent to {remote}: {exc.message}")
        return None
    return {"remote": remote}


def receive(ctx: Context, git: Git) -> dict[str, Any] | None:
    """Fetch ledger and registry from the git remote; return what came, None where there is none."""
    remote = exchange.remote_of(git)
    if remote is None:
        return None
    try:
        came = exchange.receive(git, remote, ctx.settings.get("ledger.branch"))
    except OutsideWorld as exc:  # what is here still answers
        ctx.warn(f"records and tags did not come from {remote}: {exc.message}")
        return None
    return {"remote": remote, "refs": came.refs, "tags": came.tags}
