"""What the core says while it works; how it looks is the business of cli/bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Working:
    """One part of a task that is under way; `expected` are the seconds it took the last time."""

    name: str
    seconds: float
    expected: float | None = None
    tail: str = ""  # the last line it said


class Task(Protocol):
    """One long piece of work with a known or unknown end; a context manager."""

    def advance(self, n: int = 1) -> None: ...
    def expect(self, total: int) -> None: ...
    def watch(self, working: Callable[[], Sequence[Working]]) -> None:
        """Show what `working` returns, which is asked from another thread, as often as wanted."""
        ...

    def __enter__(self) -> Task: ...
    def __exit__(self, *exc: object) -> None: ...


class Progress(Protocol):
    """The door through which the core reports: long tasks and single sentences."""

    def task(self, label: str, *, total: int | None = None, unit: str = "") -> Task:
        """Open a task; `unit` is "B" for bytes, else the plural of what is counted."""
        ...

    def say(self, sentence: str) -> None:
        """Tell the person something as it happens (a line on stderr)."""
        ...


class _SilentTask:
    def advance(self, n: int = 1) -> None: ...

    def expect(self, total: int) -> None: ...

    def watch(self, working: Callable[[], Sequence[Working]]) -> None: ...

    def __enter__(self) -> _SilentTask:
        return self

    def __exit__(self, *exc: object) -> None: ...


class _Silent:
    def task(self, label: str, *, total: int | None = None, unit: str = "") -> Task:
        return _SilentTask()

    def say(self, sentence: str) -> None: ...


SILENT: Progress = _Silent()
