"""Progress for people: bars on a terminal, heartbeat lines elsewhere, nothing for short work."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from mlops_cli.cli.render import text
from mlops_cli.progress import SILENT, Progress, Task, Working

FIRST_BAR = 0.6  # seconds; importing rich for work that is over by then would be the work
HEARTBEAT = 5.0
ROWS = 16  # parts at work that have a row on a terminal
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
NAMED = 3  # parts at work that a heartbeat names


class _Task:
    def __init__(self, owner: Reporter, label: str, total: int | None, unit: str) -> None:
        self.owner = owner
        self.label = label
        self.total = total
        self.unit = unit
        self.done = 0
        self.started = self.told = time.monotonic()
        self.bar: Any = None
        self.working: Callable[[], Sequence[Working]] = tuple
        self.rows: dict[str, Any] = {}  # name of a part that works → its row on the screen

    def watch(self, working: Callable[[], Sequence[Working]]) -> None:
        self.working = working

    def advance(self, n: int = 1) -> None:
        with self.owner.lock:
            self.done += n

    def expect(self, total: int) -> None:
        self.total = total

    def __enter__(self) -> _Task:
        return self

    def __exit__(self, *exc: object) -> None:
        self.owner.close(self)

    def line(self, now: float) -> str:
        figures = [_amount(self.done, self.unit)] if self.done else []
        if self.total:
            share = min(100 * self.done // self.total, 100)
            figures = [
                f"{_amount(self.done, self.unit)} of {_amount(self.total, self.unit)} ({share} %)"
            ]
        return f"{self.label}: {', '.join([*figures, f'{now - self.started:.0f} s'])}"

    def beat(self, now: float) -> str:
        """Return the line together with the names of what works, those at it longest first."""
        parts = sorted(self.working(), key=lambda one: -one.seconds)[:NAMED]
        names = ", ".join(f"{one.name} {_pace(one)}" for one in parts)
        return f"{self.line(now)}; {names}" if names else self.line(now)


class Reporter:
    """Progress on stderr. One daemon thread watches; `advance` only counts."""

    def __init__(self, *, bars: bool) -> None:
        self.lock = threading.Lock()
        self._bars = bars
        self._tasks: list[_Task] = []
        self._display: Any = None
        self._thread: threading.Thread | None = None

    def task(self, label: str, *, total: int | None = None, unit: str = "") -> Task:
        task = _Task(self, label, total, unit)
        with self.lock:
            self._tasks.append(task)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, daemon=True, name="progress")
                self._thread.start()
        return task

    def say(self, sentence: str) -> None:
        display = self._display
        if display is not None:
            display.console.print(sentence, markup=False, highlight=False)
        else:
            sys.stderr.write(sentence + "\n")
            sys.stderr.flush()

    def close(self, task: _Task) -> None:
        with self.lock:
            if task in self._tasks:
                self._tasks.remove(task)
            if task.bar is not None:
                for row in (task.bar, *task.rows.values()):
                    self._display.remove_task(row)
                task.rows.clear()
            if not self._tasks and self._display is not None:
                self._display.stop()
                self._display = None

    def _watch(self) -> None:
        while True:
            time.sleep(0.1 if self._bars else 0.5)
            with self.lock:
                if not self._tasks:  # who calls many commands in one process keeps none of these
                    self._thread = None
                    return
            now = time.monotonic()
            try:
                self._draw(now) if self._bars else self._beat(now)
            except Exception:  # a picture of the work is no reason to disturb the work
                return

    def _beat(self, now: float) -> None:
        with self.lock:
            due = [task for task in self._tasks if now - task.told >= HEARTBEAT]
            for task in due:
                task.told = now
        for task in due:
            self.say(task.beat(now))

    def _draw(self, now: float) -> None:
        if not any(now - task.started >= FIRST_BAR for task in list(self._tasks)):
            return
        display = _display() if self._display is None else self._display
        with self.lock:
            if not self._tasks:
                return
            if self._display is None:
                self._display = display
                display.start()
            for task in self._tasks:
                if task.bar is None and now - task.started >= FIRST_BAR:
                    task.bar = display.add_task(
                        task.label, figures=task.line(now), total=task.total
                    )
                if task.bar is not None:
                    display.update(
                        task.bar, completed=task.done, total=task.total, figures=task.line(now)
                    )
                    _draw_rows(task, display)


def _draw_rows(task: _Task, display: Any) -> None:
    """Give each part of `task` that works a row: its name, its time, the last line it said."""
    parts = {one.name: one for one in list(task.working())[:ROWS]}
    for name in [name for name in task.rows if name not in parts]:
        display.remove_task(task.rows.pop(name))
    width = max(20, display.console.width - 36)
    for name, one in parts.items():
        if name not in task.rows:
            task.rows[name] = display.add_task(name, figures="", total=None)
        words = f"{name}: {_pace(one)}"
        words += f"\n  {_plain(one.tail)[:width]}" if one.tail else ""
        done = min(one.seconds, one.expected) if one.expected else 0.0
        display.update(task.rows[name], completed=done, total=one.expected, figures=words)


def _plain(line: str) -> str:
    """Return what a terminal would show of a line of a log, without what moves its cursor."""
    return "".join(
        one for one in _ESCAPE.sub("", line.rstrip("\r").rpartition("\r")[2]) if one.isprintable()
    )


def _pace(one: Working) -> str:
    about = f" of about {one.expected:.0f} s" if one.expected and one.expected >= 1 else ""
    return f"{one.seconds:.0f} s{about}"


def _amount(number: int, unit: str) -> str:
    if unit == "B":
        return text.size(number)
    return f"{number:,} {unit}".rstrip()


def _display() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    return Progress(
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[figures]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # stdout is the result
    )


def reporter(*, quiet: bool, wanted: bool, terminal: bool) -> Progress:
    """Return how progress is told: not at all, as bars (`terminal`), or as heartbeat lines."""
    if quiet:
        return SILENT
    return Reporter(bars=terminal) if wanted else _Sayer()


class _Sayer:
    """Says sentences, shows no progress: --no-progress."""

    def task(self, label: str, *, total: int | None = None, unit: str = "") -> Task:
        return SILENT.task(label, total=total, unit=unit)

    def say(self, sentence: str) -> None:
        sys.stderr.write(sentence + "\n")
        sys.stderr.flush()
