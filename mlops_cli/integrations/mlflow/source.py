"""What an import reads from, whatever it is: a folder `mlruns` or a database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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
