"""`mlops import lfs`: files of git-lfs become data of mlops."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_cli.cli import context
from mlops_cli.cli.render import text
from mlops_cli.integrations import lfs
from mlops_cli.workspace.words import relative


def command(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Files or folders; all of git-lfs.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would happen; change nothing.")
    ] = False,
) -> int:
    """Take files of git-lfs over: bytes into the cache, pointers of mlops in their place.

    git forgets the files (the change is yours to commit); objects of git-lfs stay where they are.
    What is missing or corrupt is named and left as it is, and the exit code is 40 then.
    """
    ctx = context.current()
    project = ctx.project()
    words = [relative(project.root, ctx.cwd, word) for word in paths or []]
    found = lfs.find(project.git, project.root, [] if "." in words else words)
    if not dry_run:
        found = lfs.take(
            project.git, project.root, found, cache=project.cache, progress=ctx.progress
        )
    data = {
        "dry_run": dry_run,
        "files": [
            {
                "path": one.path,
                "digest": f"sha256:{one.pointer.oid}",
                "size": one.pointer.size,
                "state": one.state,
                "source": one.source,
            }
            for one in found
        ],
    }
    lost = any(one.state != "imported" for one in found)
    return ctx.show(
        data,
        "mlops.import-lfs/1",
        lambda: _page(found, dry_run=dry_run),
        code=40 if lost and not dry_run else 0,
    )


def _page(found: list[lfs.Moved], *, dry_run: bool) -> str:
    if not found:
        return "git-lfs keeps nothing here."
    rows = [(one.path, text.size(one.pointer.size), one.state, one.source) for one in found]
    lines = [text.table(rows, align="lrll"), ""]
    if any(one.state == "missing" for one in found):
        lines.append("git lfs fetch brings what is missing; then run the same command again.")
    if dry_run:
        lines.append("Nothing was changed.")
    elif any(one.state == "imported" for one in found):
        lines.append("Commit it with: git add -A; take the lines of git-lfs out of .gitattributes.")
    return "\n".join(lines)
