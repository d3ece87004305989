"""`mlops import git`: data of another repository, tracked here, pinned to a commit there."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_cli.cli import context, reaching
from mlops_cli.cli.importing import Force, NoDownload, Out, Push, bring

if TYPE_CHECKING:
    from mlops_cli.workspace.pin import GitPin
    from mlops_cli.workspace.taking import Taken


def command(
    url: Annotated[str, typer.Argument(help="A git repository: URL or folder.")],
    path: Annotated[str, typer.Argument(help="What to import of it, tracked or kept by git.")],
    out: Out = None,
    revision: Annotated[
        str | None, typer.Option("--rev", help="Branch, tag or commit; the default branch.")
    ] = None,
    no_download: NoDownload = False,
    push: Push = False,
    force: Force = False,
) -> int:
    """Track a path of another repository here; `mlops update` follows it.

    The pointer holds URL, revision, commit and digest. `mlops pull` fetches the bytes from there
    again, so that `mlops push` leaves them out.
    """
    ctx = context.current()
    project = ctx.project()
    shown = reaching.portable(url, ctx.cwd, project.root)
    reach = reaching.reach(ctx, project.cache, project.root)

    def take() -> tuple[Taken, GitPin]:
        taken, pin, stale = reach.git(shown, path, revision, data=not no_download)
        reaching.tell_stale(ctx, stale)
        return taken, pin

    name = PurePosixPath(path).name
    return bring(ctx, name, out, take, data=not no_download, push=push, force=force)
