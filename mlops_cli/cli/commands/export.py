"""`mlops export`: what mlops tracks, as other tools want it."""

from __future__ import annotations

import typer

from mlops_cli.cli.commands import (
    export_bom,
    export_dvc,
    export_mlflow,
    export_openlineage,
    export_prov,
)

app = typer.Typer(help="Write what mlops tracks as other tools want it.")


@app.callback()
def group() -> None:
    """Write what mlops tracks as other tools want it."""


app.command("dvc")(export_dvc.command)
app.command("mlflow")(export_mlflow.command)
app.command("openlineage")(export_openlineage.command)
app.command("prov")(export_prov.command)
app.command("bom")(export_bom.command)
