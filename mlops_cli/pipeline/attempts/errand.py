"""An errand: what an attempt is told to do, and what it answers."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError, MlopsError
from mlops_cli.pipeline.attempts.process import TAIL
from mlops_cli.pipeline.runner import Outcome
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces.holding import Held
from mlops_cli.pipeline.traces.marker import Marker
from mlops_cli.pipeline.words import interpolate

if TYPE_CHECKING:
    from mlops_cli.pipeline.keys.room import Room


@dataclass(frozen=True, slots=True)
class Order:
    """What to do, and where; everything an attempt may look at. `tail` is filled as it goes."""

    step: Step
    marker: Marker
    parts: Mapping[str, Any]  # of its key
    held: Held
    root: Path
    log: Path
    params: Mapping[str, Any]
    environ: Mapping[str, str]
    python: str  # the interpreter
    boxed: bool = False  # whether a command runs in a sandbox
    room: Room | None = None  # the environment, where the step has one of its own
    tried: int = 0  # attempts before this one in the same run
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))

    @property
    def log_name(self) -> str:
        """Where the log is, relative to the project."""
        return str(self.log.relative_to(self.root))

    @property
    def live(self) -> Path:
        """The folder into which the step logs figures while it runs."""
        return self.log.with_suffix(".live")


@dataclass(frozen=True, slots=True)
class Done:
    """How it went; with an `error` the former outputs are back in their places."""

    order: Order
    seconds: float
    outcome: Outcome = field(default_factory=Outcome)
    error: MlopsError | None = None
    killed: bool = False
    failure: tuple[str, ...] = ()  # its classes, as `retries: on:` names them
    left: tuple[str, ...] = ()  # processes that outlived the step and were ended
    beside: tuple[str, ...] = ()  # what it touched in a sandbox that it did not declare


def inherited(environ: Mapping[str, str], python: str) -> dict[str, str]:
    """Return what commands inherit; their `python` is the one whose version is in keys."""
    path = os.pathsep.join([str(Path(python).parent), environ.get("PATH", os.defpath)])
    return {"PYTHONUNBUFFERED": "1", **environ, "PATH": path}


def check_params(step: Step, params: Mapping[str, Any]) -> None:
    """Raise ConfigError when a command names a param that is no single value."""
    for line in step.cmd:
        try:
            interpolate.interpolate(line, params)
        except ConfigError as error:
            raise ConfigError(
                f"step {step.name}: {error.message}", code=error.code, hint=error.hint
            ) from error
