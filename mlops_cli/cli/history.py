"""Records and tags travel with the data, which a plain git push and git clone leave behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_cli.errors import IntegrityError, MlopsError, OutsideWorld
from mlops_cli.vcs import exchange, refs

if TYPE_CHECKING:
    from datetime import timedelta

    from mlops_cli.cli.context import Context
    from mlops_cli.ledger.fold import Place, Plan
    from mlops_cli.vcs.repo import Git


def tell_git(ctx: Context, git: Git) -> bool:
    """Let a plain `git fetch` bring the records; return whether git was not told before."""
    remote = exchange.remote_of(git)
    return remote is not None and exchange.tell_git(git, remote, ctx.settings.get("ledger.branch"))


def remind(ctx: Context, git: Git) -> None:
    """Say so where a clone has no record because none was fetched: it answers as if nothing had
    ever happened."""
    if refs.tips(git, "refs/mlops/"):
        return
    remote = exchange.remote_of(git)
    if remote is not None and not exchange.told(git, remote):
        ctx.warn(f"no records were fetched from {remote} yet: mlops pull brings them")


def send(ctx: Context, git: Git, *, alone: bool = False) -> dict[str, Any] | None:
    """Push ledger and registry to the git remote; return what went, None where there is none.

    Beside data that went, records may wait for the next push: a warning. `alone`: an OutsideWorld.
    """
    remote = exchange.remote_of(git)
    if remote is None:
        return None
    tell_git(ctx, git)
    try:
        went = exchange.send(git, remote, ctx.settings.get("ledger.branch"))
    except OutsideWorld as exc:
        if alone:
            raise
        ctx.warn(f"records and tags were not sent to {remote}: {_said(exc)}")
        return None
    return {"remote": remote, "refs": went.refs, "tags": went.tags}


def send_waiting(ctx: Context, git: Git, remote: str) -> None:
    """Push the records that `remote` is not known to have; asks nobody where there are none, and
    never fails: what cannot be sent waits on."""
    branch = ctx.settings.get("ledger.branch")
    try:
        if remote in git.run("remote").split() and exchange.waiting(git, remote, branch):
            exchange.tell_git(git, remote, branch)
            exchange.send_ledger(git, remote, branch)
    except MlopsError as exc:
        ctx.warn(f"records were not sent to {remote}: {_said(exc)}")


def receive(ctx: Context, git: Git) -> dict[str, Any] | None:
    """Fetch ledger and registry from the git remote; return what came, None where there is none."""
    remote = exchange.remote_of(git)
    if remote is None:
        return None
    tell_git(ctx, git)
    try:
        came = exchange.receive(git, remote, ctx.settings.get("ledger.branch"))
    except OutsideWorld as exc:  # what is here still answers
        ctx.warn(f"records and tags did not come from {remote}: {exc.message}")
        return None
    except IntegrityError as exc:  # a tag that is another one there: the others came
        ctx.warn(f"{exc.message}, which does not replace what is here ({exc.hint})")
        return None
    return {"remote": remote, "refs": came.refs, "tags": came.tags}


def fold(ctx: Context, git: Git, *, older: timedelta, dry_run: bool) -> tuple[Place, Plan]:
    """Fold the ledgers of writers who wrote nothing for so long, where they are: on the git remote,
    if there is one. Raises as `ledger.fold.fold`, OutsideWorld.
    """
    from mlops_cli.ledger import fold as folding

    place = folding.Place(exchange.remote_of(git), ctx.settings.get("ledger.branch"))
    before = ctx.now() - older
    if dry_run:
        folding.refresh(git, place)
        done = folding.plan(git, place, before=before)
    else:
        if place.remote is not None:
            exchange.send_ledger(git, place.remote, place.branch)
        done = folding.fold(git, place, before=before, now=ctx.now())
    for writer, why in done.left.items():
        ctx.warn(f"the ledger of {writer} stays as it is: {why}")
    return place, done


def _said(error: MlopsError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message
