"""`mlops get`: bytes out of any repository, without tracking them."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from mlops_cli.cli import context, reaching
from mlops_cli.cli.render import text
from mlops_cli.errors import StateRefused, UsageError
from mlops_cli.store.cache import Cache
from mlops_cli.store.tree import Mode
from mlops_cli.workspace.taking import Taken


def command(
    url: Annotated[str, typer.Argument(help="A git repository: URL or folder.")],
    path: Annotated[str, typer.Argument(help="What to take of it, tracked or kept by git.")],
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="Where to; its own name in this folder.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--rev", help="Branch, tag or commit; the default branch.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> int:
    """Copy a file or folder out of a repository, at any revision, into any folder.

    Works outside of a project too. Tracked data comes from the remote of that repository (or from
    its cache, on this disk), and only what is asked for; every byte is hashed on the way.
    """
    ctx = context.current()
    name = PurePosixPath(path).name
    if name == ".." or (not name and out is None):
        raise UsageError(
            f"{path!r} is no path in a repository",
            code="bad-path",
            hint=f"mlops ls {url} shows what is there",
        )
    target = reaching.target(out, name, ctx.cwd)
    if os.path.lexists(target) and not force:
        raise StateRefused(
            f"{target} is there already",
            code="target-exists",
            hint="choose another place with -o, or pass --force to replace it",
            details={"path": str(target)},
        )
    with reaching.cache(ctx, target) as cache:
        taken, pin, stale = reaching.reach(ctx, cache, ctx.cwd).git(url, path, revision)
        reaching.tell_stale(ctx, stale)
        _put(cache, taken, target, ctx)
    shown = os.path.relpath(target, ctx.cwd)
    data = {
        "url": url,
        "path": pin.path,
        "commit": pin.commit,
        "out": shown,
        "digest": taken.digest,
        "kind": taken.kind,
        "size": taken.size,
        "files": taken.files,
    }
    words = (
        f"{shown}: {text.count(taken.files, 'file')}, {text.size(taken.size)}, "
        f"from commit {pin.commit[:12]}"
    )
    return ctx.show(data, "mlops.get/1", words)


def _put(cache: Cache, taken: Taken, target: Path, ctx: context.Context) -> None:
    from mlops_cli.store.files.materialize import materialize, plan_materialize

    mode: Mode | None = "exec" if taken.executable else None if taken.kind == "tree" else "file"
    plan = plan_materialize(cache, taken.digest, taken.kind, target, mode=mode)
    materialize(plan, overwrite=True, progress=ctx.progress)
