"""`mlops feedback`: tell another role what you saw; it is an event until somebody closes it."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_cli.cli import context
from mlops_cli.cli.commands.events import opened
from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.code import code_now
from mlops_cli.monitoring.feedback import feedback


def _roles(incomplete: str) -> list[str]:
    with opened(context.current().project()) as desk:
        return [role for role in desk.roles() if role.startswith(incomplete)]


def command(
    said: Annotated[str, typer.Argument(metavar="TEXT", help="What the other side should know.")],
    to: Annotated[
        str | None, typer.Option("--to", help="The role it goes to.", autocompletion=_roles)
    ] = None,
    about: Annotated[
        str | None, typer.Option("--about", help="The step it is about; its owner is told.")
    ] = None,
) -> int:
    """Send what you saw to another role, as an event in the ledger.

    Roles are the keys of project.owners in pipeline.yaml, and data, science, ops.
    """
    ctx = context.current()
    project = ctx.project()
    git = project.git
    with opened(project) as desk:
        told = feedback(
            desk, said, to=to, about=about,
            actor=str(git.identity()), time=ctx.now(), code=code_now(git),
        )  # fmt: skip
        owner = desk.owners.get(told["to"])
    open_ledger(git).append(told)
    data = {"record": str(told.digest), "to": told["to"], "owner": owner, "about": told["about"]}
    who = f"{told['to']} ({owner})" if owner else told["to"]
    return ctx.show(
        data, "mlops.feedback/1", f"Told {who}. They see it in mlops events list. Next: mlops push"
    )
