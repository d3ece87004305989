"""What it takes to be run: a kind of step, what it is given, what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from mlops_cli.live import Live
from mlops_cli.pipeline.step import Step
from mlops_cli.progress import SILENT, Progress


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a step is given. Whatever it reads must stand in the step, or its key would lie."""

    root: Path
    outs: Mapping[str, Path]  # declared out → the scratch path to write; the engine publishes it
    params: Mapping[str, Any] = field(default_factory=dict)  # the named part of the params file
    seed: int = 0
    parts: Mapping[str, Any] = field(default_factory=dict)  # of the key of the step
    progress: Progress = SILENT
    live: Live = field(default_factory=lambda: Live(None))  # takes figures while the step runs


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step answers: metrics by dotted name, and small plain facts for lock and record."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)  # by `machine`, for the record alone


class StepKind(Protocol):
    """One way of making outputs from inputs, found by name through `plugins.STEPS`.

    `revision` (1 where a class states none) is raised, here and in `plugins.REVISIONS`, whenever
    the same inputs give other outputs than before: it is part of the key.
    """

    def run(self, step: Step, context: RunContext) -> Outcome:
        """Write every declared out to its scratch path. Runs in a process of its own; what it
        prints goes to the step's log. Raises MlopsError for what a person can mend."""
        ...


class Action(Protocol):
    """What an action of the graph does when it is named, found through `plugins` by its kind:
    the same function that its command calls."""

    def __call__(
        self, project: Any, name: str, *, now: Clock, progress: Progress
    ) -> Mapping[str, Any]:
        """Register, deploy or check `name`; return plain facts, with a `sentence` for people."""
        ...


class Clock(Protocol):
    def __call__(self) -> datetime:
        """Return the time now, in UTC."""
        ...
