"""What an import reads from, whatever it is: a folder `mlruns` or a database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlops_cli.errors import NotFound
from mlops_cli.integrations.mlflow.entity import Entity

RUN_STATUS = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
MODEL_STATUS = {"0": "UNSPECIFIED", "1": "PENDING", "2": "READY", "3": "FAILED"}


@dataclass(frozen=True, slots=True)
class Omitted:
    """What the source has and no import takes, and why."""

    what: str
    name: str
    why: str


class Source(Protocol):
    """One store of MLflow, read and never written."""

    @property
    def name(self) -> str:
        """How a person called it."""
        ...

    @property
    def home(self) -> Path:
        """The folder under which its artifacts are taken without being asked."""
        ...

    @property
    def omitted(self) -> list[Omitted]:
        """What was left out while it was read."""
        ...

    def experiments(self) -> dict[str, Entity]:
        """Return id → experiment."""
        ...

    def count(self) -> int:
        """Return how many runs there are."""
        ...

    def runs(self) -> Iterator[Entity]:
        """Yield the runs, each with its points."""
        ...

    def logged_models(self) -> Iterator[Entity]:
        """Yield the logged models of MLflow 3."""
        ...

    def models(self) -> Iterator[tuple[Entity, list[Entity]]]:
        """Yield each registered model with its versions, oldest first."""
        ...

    def close(self) -> None:
        """Let go of the store, which others write to."""
        ...


def open_source(path: Path) -> Source:
    """Return the store at `path`: a folder of experiments, a database, or a folder with either.

    Raises NotFound ("missing-path", "no-mlflow-store"), ConfigError ("unknown-mlflow-version").
    """
    from mlops_cli.integrations.mlflow import database, folder

    if not path.exists():
        raise NotFound(f"there is no {path}", code="missing-path", hint="mlflow.db, or mlruns/")
    if path.is_file():
        return database.open_database(path)
    if folder.is_store(path):
        return folder.Folder(path)
    for name in ("mlflow.db", "mlruns"):
        inner = path / name
        if inner.is_file() or folder.is_store(inner):
            return open_source(inner)
    raise NotFound(
        f"{path} is no store of MLflow: neither experiments with a meta.yaml nor a database",
        code="no-mlflow-store",
        hint="mlops import mlflow mlruns, or mlops import mlflow mlflow.db",
    )
