"""Where a deployment runs: what every target can do. tests/conformance holds each one to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from mlops_cli.serving.desired import Desired

State = Literal["running", "stopped", "died"]


@dataclass(frozen=True, slots=True)
class Running:
    """What a target tells about an environment; `answer` is what the server itself says."""

    state: State
    url: str | None = None
    pid: int | None = None
    started: str | None = None
    desired: Desired | None = None
    answer: Mapping[str, Any] | None = None
    requests: int = 0


class Target(Protocol):
    """A place that serves environments."""

    def look(self, environment: str) -> Running:
        """Return what is there now; "died" when it shall run and does not."""
        ...

    def apply(self, desired: Desired, *, now: str, wait: float) -> Running:
        """Start what is desired, or exchange it without dropping a request.

        Returns when the server itself answers with this generation. Raises OutsideWorld with
        the tail of the log when that takes longer than `wait` seconds, and leaves the former
        models serving where there were any.
        """
        ...

    def stop(self, environment: str, *, wait: float) -> bool:
        """End the server and return whether one ran; its prediction log is complete."""
        ...

    def seal(self, environment: str, *, wait: float) -> None:
        """Let every prediction that was answered so far lie in a sealed segment."""
        ...

    def tail(self, environment: str, lines: int) -> Sequence[str]:
        """Return the last lines that the server printed."""
        ...


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker wrote about itself."""

    pid: int
    generation: str | None
    sealed: str
    trouble: Mapping[str, str] | None
    counts: Mapping[str, float] = field(default_factory=dict)
