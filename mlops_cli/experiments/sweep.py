"""A sweep: trials side by side in processes of their own, the hopeless ones ended early.

All that counts is on disk, in `state`, so a sweep that was killed goes on where it was: what runs
still is waited for, what was cut short is run again, what ended is not.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.experiments import search
from mlops_cli.experiments.state import State, Trial
from mlops_cli.experiments.trial import logged
from mlops_cli.progress import SILENT, Progress

LOOK = 0.1  # seconds between two looks at what runs
GRACE = 10.0  # seconds that a trial has to put things in order when it is ended


@dataclass(slots=True)
class Sweep:
    """A sweep under way."""

    root: Path
    state: State
    environ: Mapping[str, str]
    jobs: int = 1
    progress: Progress = SILENT
    _running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def carry_out(self) -> None:
        """Run all trials that are left. Raises StateRefused ("locked") where another process does,
        UsageError ("bad-options"), MissingExtra."""
        count = search.total(self.state.plan)
        what = f"the sweep {self.state.plan.id}"
        with (
            fsio.lock(self.state.folder / "sweep.lock", what=what),
            self.progress.task("sweep", total=count, unit="trials") as task,
        ):
            task.advance(len(self.state.over))
            try:
                while self._fill(count) or self._running or self._elsewhere():
                    task.advance(self._look())
            finally:
                self._end_all()

    def _fill(self, count: int) -> bool:
        """Start what may start; tell whether anything was."""
        started = False
        while len(self._running) < self.jobs:
            trial = self._next(count)
            if trial is None:
                break
            self._start(trial)
            started = True
        return started

    def _next(self, count: int) -> Trial | None:
        self.state.reread()
        for trial in self.state.cut_short():
            if trial.number not in self._running:
                return trial
        number = len(self.state.trials)
        if number >= count:
            return None
        return self.state.claim(number, search.values(self.state.plan, number, self.state.over))

    def _start(self, trial: Trial) -> None:
        for suffix in ("place", "stop"):
            (self.state.folder / f"{trial.number}.{suffix}").unlink(missing_ok=True)
        module = "mlops_cli.experiments.trial"
        with open(self.state.folder / f"{trial.number}.log", "ab") as log:
            self._running[trial.number] = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    module,
                    str(self.root),
                    self.state.plan.id,
                    str(trial.number),
                ],
                cwd=self.root,
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # ^C is for us: we end them, each in its own time
            )

    def _look(self) -> int:
        """Wait a moment, take what ended, end what is hopeless; return how many ended."""
        if not self._running:
            time.sleep(LOOK)  # a trial of a sweep that was killed still runs
            return 0
        with contextlib.suppress(subprocess.TimeoutExpired):
            next(iter(self._running.values())).wait(LOOK)
        self.state.reread()
        ended = [number for number, child in self._running.items() if child.poll() is not None]
        for number in ended:
            self._take(number, self._running.pop(number).returncode)
        if self.state.plan.stop == "median":
            for number in self._running:
                self._judge(number)
        return len(ended)

    def _take(self, number: int, code: int) -> None:
        trial = self.state.trials[number]
        if trial.status is None:  # it had no time to say so itself
            trial = replace(trial, status="failed", error=self._last_words(number, code))
            self.state.end(trial)
        self.progress.say(told(self.state, trial))

    def _last_words(self, number: int, code: int) -> str:
        lines = (self.state.folder / f"{number}.log").read_text(errors="replace").splitlines()
        how = f"its process ended with {code}"
        return f"{how}: {lines[-1]}" if lines else how

    def _judge(self, number: int) -> None:
        plan, place = self.state.plan, self.state.place(number)
        if place is None or self.state.is_stopped(number):
            return
        points = [
            (point.step, point.value)
            for point in logged(place).get(plan.metric or "", ())
            if point.value is not None
        ]
        if search.hopeless(plan, points, self.state.over):
            self.state.stop(number)
            self._signal(number, signal.SIGTERM)

    def _elsewhere(self) -> bool:
        """Tell whether a trial runs that a former process of this sweep started."""
        return any(trial.status is None for trial in self.state.trials.values())

    def _end_all(self) -> None:
        for number in self._running:
            self._signal(number, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for number, child in self._running.items():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._signal(number, signal.SIGKILL)
                child.wait()

    def _signal(self, number: int, signum: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._running[number].pid, signum)


def told(state: State, trial: Trial) -> str:
    """Return one line about a trial: "trial 3, train.lr=0.1: roc_auc 0.71"."""
    chosen = ", ".join(f"{name}={shown(value)}" for name, value in trial.values.items())
    metric = state.plan.metric
    if trial.status == "done" and metric:
        what = f"{metric} {trial.value:.4g}" if trial.value is not None else f"no {metric}"
    else:
        what = trial.status + (f": {trial.error}" if trial.error else "") if trial.status else "?"
    return f"trial {trial.number}, {chosen}: {what}."


def shown(value: Any) -> str:
    """Return a value of a param for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
