"""`mlops merge-driver`: what git calls, file by file, when both sides of a merge changed one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlops_cli import fsio
from mlops_cli.cli import context
from mlops_cli.errors import UsageError
from mlops_cli.workspace.listings import listings
from mlops_cli.workspace.merge import kind_of, merge_file
from mlops_cli.workspace.merge_shelf import MergeShelf


def command(
    base: Annotated[Path, typer.Argument(help="What both sides began with (%O); may be empty.")],
    ours: Annotated[Path, typer.Argument(help="Our file (%A); the result is written into it.")],
    theirs: Annotated[Path, typer.Argument(help="Their file (%B).")],
    path: Annotated[str, typer.Argument(help="Which file of the project it is (%P).")],
) -> int:
    """Merge a pointer, a lock or the state of an environment; `mlops hooks install` tells git so.

    Answers 0 when nothing is left to decide, 1 when OURS now holds both sides, as git asks for.
    """
    ctx = context.current()
    if kind_of(path) is None:
        raise UsageError(
            f"{path} is no pointer, lock or environment",
            code="not-ours-to-merge",
            hint="take merge=mlops off its line in .gitattributes",
        )
    project = ctx.project()
    shelf = MergeShelf(
        project.cache, listings(project.cache, project.settings, project.root, now=ctx.now())
    )
    before = ours.read_bytes()
    found = merge_file(path, base.read_bytes() or None, before, theirs.read_bytes(), shelf=shelf)
    if found.data != before:
        fsio.write_atomic(ours, found.data)
    if found.note:
        ctx.warn(f"{path} could not be merged file by file: {found.note}")
    data = {"path": path, "clean": found.clean, "conflicts": list(found.conflicts)}
    human = "".join(f"Undecided: {one}\n" for one in found.conflicts)
    return ctx.show(data, "mlops.merge-driver/1", human, code=0 if found.clean else 1)
