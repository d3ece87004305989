"""`mlops import`: data that lives elsewhere, tracked here with a pin to where it came from.

Each kind of source is a module of its own and is registered here.
"""

from __future__ import annotations

import typer

from mlops_cli.cli.commands import (
    import_dvc,
    import_git,
    import_gto,
    import_lfs,
    import_mlflow,
    import_url,
)

app = typer.Typer(help="Track data that comes from elsewhere, pinned to what was there.")

app.command("git")(import_git.command)
app.command("url")(import_url.command)
app.command("dvc")(import_dvc.command)
app.command("lfs")(import_lfs.command)
app.command("mlflow")(import_mlflow.command)
app.command("gto")(import_gto.command)
