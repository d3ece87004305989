"""After a checkout, merge or rebase: the data in the workspace follows, and never in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_cli.cli.restoring import restore
from mlops_cli.errors import MlopsError
from mlops_cli.workspace import tracked

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.project import Project
    from mlops_cli.workspace.tracked import Tracked


def follow(ctx: Context, name: str, arguments: list[str]) -> list[str]:
    """Bring the data that the hook `name` has to do with; return the paths that changed.

    Raises nothing that a person could cause: git has done its work, and the rest is a warning.
    """
    try:
        project = ctx.project()
        wanted = _wanted(ctx, project, name, arguments)
        return restore(ctx, project, wanted) if wanted else []
    except MlopsError as exc:
        ctx.warn(f"the data was not brought along: {exc.message}: {exc.hint or 'mlops status'}")
        return []


def _wanted(ctx: Context, project: Project, name: str, arguments: list[str]) -> list[Tracked]:
    """Return what is tracked now and, where that is known, was not so before."""
    if name == "post-rewrite" and arguments[:1] == ["amend"]:
        return []  # the work tree is as it was
    former = new = None
    if name == "post-checkout":
        given = ctx.environment
        former = given.get("PRE_COMMIT_FROM_REF") or (arguments[0] if arguments else None)
        new = given.get("PRE_COMMIT_TO_REF") or (arguments[1] if arguments[1:] else None)
        if arguments[2:] == ["0"] or given.get("PRE_COMMIT_CHECKOUT_TYPE") == "0":
            former = None  # single files, of any revision
    elif name == "post-merge" and arguments != ["1"]:  # not after a squash, which moved nothing
        former, new = "ORIG_HEAD", "HEAD"
    if former and new and former.strip("0"):
        answer = project.git.call(
            *("diff", "--quiet", "--no-ext-diff", former, new, "--"),
            *("*.mlops", f"{tracked.LOCKS}/*.json"),
            env={"GIT_LITERAL_PATHSPECS": "0"},
        )
        if answer.code == 0:
            return []
        if answer.code == 1:
            before = {(one.path, one.digest) for one in tracked.tracked_at(project.git, former)}
            now = tracked.tracked(project.root, project.git)
            return [one for one in now if (one.path, one.digest) not in before]
    return tracked.tracked(project.root, project.git)
