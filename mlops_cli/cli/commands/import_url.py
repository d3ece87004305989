"""`mlops import url`: what a plain URL has, tracked here, pinned to its etag or version."""

from __future__ import annotations

from typing import Annotated

import typer

from mlops_cli.cli import context, reaching
from mlops_cli.cli.importing import Force, Out, Push, bring


def command(
    url: Annotated[str, typer.Argument(help="https://…, s3://…, a path, or what fsspec speaks.")],
    out: Out = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="The address of an S3 service, if not AWS.")
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="Of the bucket.")] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="Whose credentials to use.")
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Read a public bucket without credentials.")
    ] = False,
    push: Push = False,
    force: Force = False,
) -> int:
    """Track what is at a URL; `mlops update` looks whether it is new there.

    The bytes are streamed into the cache and hashed once; a download that was cut short goes on
    where it ended. The pointer holds URL, etag or version, time and size.
    """
    ctx = context.current()
    project = ctx.project()
    from mlops_cli.store.sources.source import name_of

    shown = reaching.portable_path(url, ctx.cwd, project.root)
    given = {"endpoint": endpoint, "region": region, "profile": profile}
    options: dict[str, object] = {name: word for name, word in given.items() if word is not None}
    if anonymous:
        options["anonymous"] = True
    reach = reaching.reach(ctx, project.cache, project.root)
    return bring(
        ctx, name_of(shown), out, lambda: reach.url(shown, options), push=push, force=force
    )
