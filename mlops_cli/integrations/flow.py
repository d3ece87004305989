"""What an orchestrator is told of a pipeline: flows of tasks, each the same command on one step."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mlops_cli.encode import canonical_json

COMMIT = "commit"  # the task that ends a flow whose tasks each had a machine of their own


@dataclass(frozen=True, slots=True)
class Task:
    """One step, or all partitions of one entry. `id` is a name that every orchestrator takes:
    a letter, then small letters, digits and hyphens."""

    id: str
    step: str
    after: tuple[str, ...] = ()  # ids
    reads: tuple[str, ...] = ()  # tracked data that has to be here
    limit: int | None = None  # seconds, all tries together
    retries: int = 0
    pause: int = 0  # seconds before the first retry
    cpus: int | None = None
    gpus: int | None = None
    mem: int | None = None  # bytes
    mutex: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """Tasks in an order in which they can run. `makes` are the steps whose locks are committed at
    its end, none: those of the whole pipeline; None: it makes nothing. `cron` says when it runs,
    None: when somebody asks."""

    id: str
    tasks: tuple[Task, ...]
    makes: tuple[str, ...] | None = ()
    cron: str | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is compiled. `image` and `repository` are for tasks on machines of their own."""

    project: str
    flows: tuple[Flow, ...]
    image: str | None = None
    repository: str | None = None

    @property
    def digest(self) -> str:
        """Return the digest of all that can show in a compiled file."""
        plain = canonical_json(dataclasses.asdict(self))
        return f"sha256:{hashlib.sha256(plain).hexdigest()}"


class Exporter(Protocol):
    """Turns a plan into files of an orchestrator; the same plan gives the same text."""

    folder: str  # where the files go when nobody says, relative to the project
    apart: bool  # whether each task has a machine of its own

    def files(self, plan: Plan) -> Mapping[str, str]:
        """Return the text of each file by its name in the folder; lines that begin with # are
        comments. Raises ConfigError for what the plan lacks."""
        ...

    def cannot(self, plan: Plan) -> Iterable[str]:
        """Return sentences on what the plan says and the orchestrator cannot be told."""
        ...
