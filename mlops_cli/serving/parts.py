"""The parts that deploying and sealing work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from mlops_cli import plugins
from mlops_cli.config import Settings
from mlops_cli.ledger.append import Ledger, open_ledger
from mlops_cli.progress import SILENT, Progress
from mlops_cli.registry.protected import Protected, branch
from mlops_cli.registry.registry import Registry, shared
from mlops_cli.serving.target import Target
from mlops_cli.store.cache import Cache
from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Parts:
    """`now` tells the time of what is recorded; `wait` bounds every wait for a server."""

    root: Path
    git: Git
    cache: Cache
    ledger: Ledger
    now: Callable[[], datetime]
    progress: Progress = SILENT
    wait: float = 30.0
    settings: Settings | None = None

    @property
    def registry(self) -> Registry:
        """The registry, with the git remote where there are settings that say so."""
        return Registry(self.git) if self.settings is None else shared(self.git, self.settings)

    @property
    def protected(self) -> Protected:
        """The branch whose policies count."""
        return branch(self.git, self.settings)


class Opened(Protocol):
    """What a project offers; project.Project is one."""

    @property
    def root(self) -> Path: ...
    @property
    def git(self) -> Git: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def settings(self) -> Settings: ...


def open_parts(
    project: Opened, *, now: Callable[[], datetime], progress: Progress = SILENT
) -> Parts:
    """Return the parts of an open project."""
    ledger = open_ledger(project.git)
    return Parts(
        *(project.root, project.git, project.cache, ledger, now, progress),
        settings=project.settings,
    )


def open_target(root: Path, kind: str) -> Target:
    """Return the target of that kind for the project at `root`. Raises NotFound."""
    target: Target = plugins.load("mlops.targets", kind)(root)
    return target


def moment(parts: Parts) -> str:
    """Return now in UTC, to the second."""
    return parts.now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
