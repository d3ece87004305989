"""`mlops export`: what mlops tracks, as other tools want it."""

from __future__ import annotations

import typer

from mlops_cli.cli.commands import export_dvc

app = typer.Typer(help="Write what mlops tracks as other tools want it.")


@app.callback()
def group() -> None:
    """Write what mlops tracks as other tools want it."""


app.command("dvc")(export_dvc.command)
