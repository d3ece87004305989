"""The parts of a project that a run uses, as one frozen record."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mlops_cli.ledger.append import Writes
    from mlops_cli.pipeline.traces.elsewhere import Elsewhere
    from mlops_cli.store.cache import Cache
    from mlops_cli.store.statcache import StatCache
    from mlops_cli.vcs.repo import Git


class Opened(Protocol):
    """What a run takes from `project.Project`, which lives on the same floor."""

    @property
    def root(self) -> Path: ...
    @property
    def git(self) -> Git: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def stats(self) -> StatCache: ...


@dataclass(frozen=True, slots=True)
class RunParts:
    """The parts of a project that a run uses. `environ` is what commands inherit."""

    root: Path
    git: Git
    cache: Cache
    stats: StatCache | None
    environ: Mapping[str, str]
    ledger: Writes | None = None  # opened when the first record is made
    python: str = sys.executable
    elsewhere: Callable[[], Elsewhere] | None = None  # what other clones ran, made when needed

    @classmethod
    def of(cls, project: Opened, environ: Mapping[str, str]) -> RunParts:
        """Return the parts of an open project; `environ` is what commands inherit."""
        return cls(project.root, project.git, project.cache, project.stats, environ)

    @property
    def parsed(self) -> Path:
        """Where parsed files are kept."""
        return self.cache.root / "parsed"
