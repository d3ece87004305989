"""`mlops move`: data gets another name or folder, with its pointer and its line in .gitignore."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_cli.cli import context, dependents
from mlops_cli.cli.render import text
from mlops_cli.errors import UsageError
from mlops_cli.workspace import move, tracked
from mlops_cli.workspace.listings import listings
from mlops_cli.workspace.pointer import SUFFIX
from mlops_cli.workspace.words import relative


def command(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH... TO", help="What is moved, and its new name or folder."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would happen; change nothing.")
    ] = False,
) -> int:
    """Move tracked data, or a part of it, also into and out of tracked folders.

    Nothing need be checked out. What git knows is staged, as `git mv` does. Steps that read the
    old path are named: pipeline.yaml is yours to change.
    """
    ctx = context.current()
    project = ctx.project()
    *olds, to = paths
    if not olds:
        raise UsageError(
            f"it is not said where {to} shall go", code="bad-value", hint=f"mlops move {to} TO"
        )
    root = project.root
    shelf = listings(project.cache, project.settings, root, now=ctx.now())
    moves = move.plan_move(
        root,
        [relative(root, ctx.cwd, old).removesuffix(SUFFIX) for old in olds],
        relative(root, ctx.cwd, to),
        into=to.endswith("/"),
        git=project.git,
        tracked=tracked.tracked(root, project.git),
        shelf=shelf,
    )
    if not dry_run:
        move.carry_out(
            root, moves, git=project.git, cache=project.cache, stats=project.stats, shelf=shelf
        )
    for path, steps in dependents.readers(project, [one.old for one in moves]).items():
        ctx.warn(f"{path} is read by {' and '.join(steps)}: change pipeline.yaml")
    data = {"dry_run": dry_run, "moved": [{"from": one.old, "to": one.new} for one in moves]}

    def human() -> str:
        rows = [(one.old, "→", one.new) for one in moves]
        return text.table(rows) + ("\n\nNothing was changed." if dry_run else "")

    return ctx.show(data, "mlops.move/1", human)
