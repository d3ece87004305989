"""The action `register.NAME` of the graph: what `mlops run register.NAME` does."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from mlops_cli.config import Settings
from mlops_cli.ledger.append import Ledger, open_ledger
from mlops_cli.pipeline.planning.parts import Opened, RunParts
from mlops_cli.pipeline.reading.load import load
from mlops_cli.progress import SILENT, Progress
from mlops_cli.registry.protected import Protected, branch
from mlops_cli.registry.registry import Registry, shared
from mlops_cli.store.cache import Cache
from mlops_cli.training import register as registration
from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Work:
    """The parts of an open project, as `training.parts.Parts` wants them."""

    root: Path
    git: Git
    cache: Cache
    ledger: Ledger
    registry: Registry
    settings: Settings | None = None

    @property
    def protected(self) -> Protected:
        """The branch whose policies count."""
        return branch(self.git, self.settings)


class Settled(Opened, Protocol):
    """An open project with its settings."""

    @property
    def settings(self) -> Settings: ...


def work(project: Settled) -> Work:
    """Return the parts of an open project."""
    registry = shared(project.git, project.settings)
    return Work(
        *(project.root, project.git, project.cache, open_ledger(project.git), registry),
        settings=project.settings,
    )


def register(
    project: Settled, name: str, *, now: Callable[[], datetime], progress: Progress = SILENT
) -> Mapping[str, Any]:
    """Register the model `name` of pipeline.yaml and return the facts of its version."""
    run = RunParts.of(project, os.environ)  # variables that steps declare are part of their keys
    version, _ = registration.register(work(project), run, load(project.root), name, now=now())
    progress.say(f"{version.name} is registered.")
    return {
        "model": version.model,
        "version": version.number,
        "digest": version.digest,
        "bundle": version.bundle,
        "tag": version.tag,
        "sentence": f"{version.name} is registered",
    }
