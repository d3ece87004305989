"""`mlops unprotect`: files that are links into the cache become the user's own."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_cli.cli import context, protecting
from mlops_cli.cli.render import text
from mlops_cli.store.files import linked
from mlops_cli.workspace import tracked
from mlops_cli.workspace.words import relative


def command(
    paths: Annotated[list[str], typer.Argument(help="Files or folders to be written into.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Say what would happen; change nothing.")
    ] = False,
) -> int:
    """Replace links into the cache by private copies, which may be written in place.

    A checkout by hard link or symlink (cache.link) makes read-only files. Other files are the
    user's own already and stay as they are.
    """
    ctx = context.current()
    project = ctx.project()
    protecting.settle(ctx, project)
    root, file = project.root, linked.beside(project.stats)
    words = [relative(root, ctx.cwd, path) for path in paths]
    tracked.select(tracked.tracked(root, project.git), words)
    found = {
        link.path: link for word in words for link in linked.links(file, project.cache, root / word)
    }
    if not dry_run:
        for link in found.values():
            linked.unlink(file, project.cache, link)
    names = [path.removeprefix(f"{root}/") for path in found]
    data = {"dry_run": dry_run, "paths": names}

    def human() -> str:
        if not names:
            return "Nothing there is a link into the cache."
        count = text.count(len(names), "file")
        said = f"{count} would become your own." if dry_run else f"{count} may be written now."
        return "\n".join([*names, "", said])

    return ctx.show(data, "mlops.unprotect/1", human)
