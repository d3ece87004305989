"""`mlops du`: how much disk what is tracked takes, and where."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import text
from mlops_cli.workspace import tracked
from mlops_cli.workspace.usage import Sum, Usage, usage
from mlops_cli.workspace.words import relative


def command(
    paths: Annotated[list[str] | None, typer.Argument(help="What is tracked; all.")] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Also what only former versions need.")
    ] = False,
) -> int:
    """Say how many bytes each tracked path takes in the workspace and in the cache.

    Largest first. What several paths need is shared, and counted once in the sum.
    """
    ctx = context.current()
    project = ctx.project()
    every = tracked.tracked(project.root, project.git)
    words = [relative(project.root, ctx.cwd, path) for path in paths or []]
    rows, total = usage(
        project.root,
        every,
        tracked.select(every, words),
        git=project.git,
        cache=project.cache,
        history=history,
    )
    data = {
        "paths": [_plain(row) for row in rows],
        "workspace": total.workspace,
        "cache": total.cached,
        "history": total.history,
    }
    return ctx.show(data, "mlops.du/1", lambda: _page(rows, total, history=history))


def _plain(row: Usage) -> dict[str, Any]:
    return {
        "path": row.tracked.path,
        "step": row.tracked.step,
        "size": row.size,
        "workspace": row.workspace,
        "unique": row.unique,
        "shared": row.shared,
        "history": row.history,
        "versions": row.versions,
    }


def _page(rows: list[Usage], total: Sum, *, history: bool) -> str:
    if not rows:
        return "Nothing is tracked yet: mlops add data"
    heads = ["size", "workspace", "cache: own", "shared", "history", "versions", "path"]
    cells = [
        [
            text.size(row.size),
            None if row.workspace is None else text.size(row.workspace),
            text.size(row.unique),
            text.size(row.shared),
            text.size(row.history or 0),
            f"{row.versions}",
            row.tracked.path,
        ]
        for row in rows
    ]
    if not history:
        heads, cells = heads[:4] + heads[6:], [line[:4] + line[6:] for line in cells]
    past = f", and {text.size(total.history)} for former versions" if total.history else ""
    return "\n".join(
        [
            text.table(cells, heads, align="rrrr" + ("rr" if history else "")),
            "",
            f"{text.size(total.workspace)} in the workspace, {text.size(total.cached)} in the "
            f"cache{past}.",
        ]
    )
