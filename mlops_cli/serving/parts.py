"""The parts that deploying and sealing work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from mlops_cli import plugins
from mlops_cli.ledger.append import Ledger, open_ledger
from mlops_cli.progress import SILENT, Progress
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


class Opened(Protocol):
    """What a project offers; project.Project is one."""

    @property
    def root(self) -> Path: ...
    @property
    def git(self) -> Git: ...
    @property
    def cache(self) -> Cache: ...


def open_parts(
    project: Opened, *, now: Callable[[], datetime], progress: Progress = SILENT
) -> Parts:
    """Return the parts of an open project."""
    ledger = open_ledger(project.git)
    return Parts(project.root, project.git, project.cache, ledger, now, progress)


def open_target(root: Path, kind: str) -> Target:
    """Return the target of that kind for the project at `root`. Raises NotFound."""
    target: Target = plugins.load("mlops.targets", kind)(root)
    return target


def moment(parts: Parts) -> str:
    """Return now in UTC, to the second."""
    return parts.now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
