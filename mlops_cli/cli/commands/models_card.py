"""`mlops models card`: what people wrote about a version, and what is recorded of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlops_cli.cli import context, known
from mlops_cli.cli.render import text


def command(
    name: Annotated[
        str,
        typer.Argument(
            help="A model or version: delay, delay@production, delay@v3.",
            autocompletion=known.models,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Into this file: README.md.")
    ] = None,
) -> int:
    """Print the card of a version: a YAML head that the Hugging Face Hub reads, what people wrote
    in models/NAME.md as of its commit, and the facts that are recorded."""
    from mlops_cli import fsio
    from mlops_cli.cli import told
    from mlops_cli.ledger.index import open_index
    from mlops_cli.registry.card import card, head
    from mlops_cli.registry.origin import origin
    from mlops_cli.registry.registry import Registry

    ctx = context.current()
    git = ctx.project().git
    registry = Registry(git)
    version = registry.resolve(name)
    words = told.words(git, version)
    if words.wrong:
        ctx.warn(f"the card of {version.name}: {words.wrong}")
    with open_index(git) as index:
        made = origin(index, version)
    aliases = told.aliases(registry, version)
    markdown = card(version, words, aliases=aliases, origin=made)
    if out is not None:
        fsio.write_atomic(ctx.cwd / out, markdown)
    data = {
        "model": version.model,
        "version": version.number,
        "head": head(version, words, made),
        "markdown": markdown,
        "out": out and str(out),
    }
    seen = "\n".join(text.shown(line) for line in markdown.rstrip().split("\n"))
    return ctx.show(
        data, "mlops.models-card/1", f"The card of {version.name} is in {out}" if out else seen
    )
