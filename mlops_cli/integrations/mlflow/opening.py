"""Which store of MLflow lies at a path."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.errors import NotFound
from mlops_cli.integrations.mlflow import database, folder
from mlops_cli.integrations.mlflow.source import Source


def open_source(path: Path) -> Source:
    """Return the store at `path`: a folder of experiments, a database, or a folder with either.

    Raises NotFound ("missing-path", "no-mlflow-store"), ConfigError ("unknown-mlflow-version").
    """
    if not path.exists():
        raise NotFound(f"there is no {path}", code="missing-path", hint="mlflow.db, or mlruns/")
    if path.is_file():
        return database.open_database(path)
    if folder.is_store(path):
        return folder.open_folder(path)
    for name in ("mlflow.db", "mlruns"):
        inner = path / name
        if inner.is_file() or folder.is_store(inner):
            return open_source(inner)
    raise NotFound(
        f"{path} is no store of MLflow: neither experiments with a meta.yaml nor a database",
        code="no-mlflow-store",
        hint="mlops import mlflow mlruns, or mlops import mlflow mlflow.db",
    )
