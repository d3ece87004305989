"""`mlops export bom`: what a version was made of, as a CycloneDX bill of materials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_cli import fsio
from mlops_cli.cli import context, told
from mlops_cli.cli.render import text
from mlops_cli.integrations import cyclonedx, libraries
from mlops_cli.ledger.index import open_index
from mlops_cli.registry.origin import Origin, origin
from mlops_cli.registry.registry import Registry

if TYPE_CHECKING:
    from mlops_cli.integrations.libraries import Library
    from mlops_cli.registry.version import Version
    from mlops_cli.vcs.repo import Git


def command(
    name: Annotated[
        str, typer.Argument(help="A model or version: delay, delay@production, delay@v3.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Into this file: delay.cdx.json."),
    ] = None,
) -> int:
    """Write model, data, libraries and what needs what as CycloneDX 1.6 (ML-BOM).

    The libraries are those of the environment's lock file as of the version's commit; where the
    project has none, those that the training run told. The same version gives the same bytes.
    """
    ctx = context.current()
    git = ctx.project().git
    version = Registry(git).resolve(name)
    with open_index(git) as index:
        made = origin(index, version)
    bom = cyclonedx.bom(version, told.words(git, version), made, _libraries(git, version, made))
    written = text.shown_json(json.dumps(bom, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"
    if out is not None:
        fsio.write_atomic(ctx.cwd / out, written)
    if not made.runs:
        ctx.warn(f"the ledger has no run of {version.name}, so its data is not in the bill")
    data = {
        "model": version.model,
        "version": version.number,
        "out": out and str(out),
        "bom": bom,
    }
    count = text.count(len(bom["components"]), "component")
    human = written if out is None else f"{count} behind {version.name} in {out}"
    return ctx.show(data, "mlops.export-bom/1", human)


def _libraries(git: Git, version: Version, made: Origin) -> list[Library]:
    lock = told.lock_file(git, version)
    data = git.show(version.commit, lock) if lock else None
    if lock and data is not None:
        return libraries.pinned(data, lock)
    return libraries.seen(made.training["environment"] if made.training else None)
