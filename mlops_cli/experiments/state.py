"""The state of a sweep: an append-only file of JSON lines, which outlives every process.

.mlops/sweeps/<id>/state.jsonl: first what is searched (`plan`), then a line when a trial is
claimed and one when it is over. A trial holds a lock file of its own while it runs: one that is
claimed, not over and not held was cut short, and is run again with the same values.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlops_cli.errors import NotFound
from mlops_cli.experiments.axes import Axis

FOLDER = ".mlops/sweeps"
By = Literal["grid", "random", "optuna"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sweep searches: `base` is the commit that all its trials vary."""

    id: str
    base: str
    axes: tuple[Axis, ...]
    by: By = "grid"
    trials: int = 0  # how many at most
    seed: int = 0
    metric: str | None = None
    goal: Literal["max", "min"] = "max"
    stop: Literal["median", "never"] = "never"
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of values, and what became of it; `status` is None while it is not over."""

    number: int
    values: Mapping[str, Any]
    status: str | None = None  # done | failed | stopped
    run: str | None = None
    value: float | None = None  # of the metric that is searched for
    metrics: Mapping[str, float] = field(default_factory=dict)
    series: tuple[tuple[int, float], ...] = ()  # of that metric, as it was logged
    error: str | None = None


@dataclass(slots=True)
class State:
    """A sweep on disk."""

    folder: Path
    plan: Plan
    trials: dict[int, Trial] = field(default_factory=dict)

    @property
    def over(self) -> list[Trial]:
        """The trials that ended, in order."""
        return [self.trials[n] for n in sorted(self.trials) if self.trials[n].status]

    def claim(self, number: int, values: Mapping[str, Any]) -> Trial:
        """Write down that trial `number` is going to be run."""
        trial = Trial(number, dict(values))
        self._append({"claim": number, "values": trial.values})
        self.trials[number] = trial
        return trial

    def end(self, trial: Trial) -> None:
        """Write down what became of a trial."""
        self._append({"end": asdict(trial)})
        self.trials[trial.number] = trial

    def cut_short(self) -> list[Trial]:
        """Return the trials that were claimed, did not end and run nowhere."""
        return [
            trial
            for trial in self.trials.values()
            if trial.status is None and not self.is_held(trial.number)
        ]

    def is_held(self, number: int) -> bool:
        """Tell whether a process runs trial `number`."""
        try:
            with self.hold(number):
                return False
        except BlockingIOError:
            return True

    @contextlib.contextmanager
    def hold(self, number: int) -> Iterator[None]:
        """Hold trial `number`. Raises BlockingIOError where another process does."""
        path = self.folder / f"{number}.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(handle)

    def note_place(self, number: int, place: Path) -> None:
        """Tell where trial `number` runs, so that what it logs can be looked at."""
        (self.folder / f"{number}.place").write_text(str(place))

    def place(self, number: int) -> Path | None:
        """Return where trial `number` runs, None where that is not known yet."""
        try:
            return Path((self.folder / f"{number}.place").read_text() or "/nowhere")
        except OSError:
            return None

    def stop(self, number: int) -> None:
        """Say that trial `number` is to end because it comes to nothing."""
        (self.folder / f"{number}.stop").touch()

    def is_stopped(self, number: int) -> bool:
        """Tell whether that was said."""
        return (self.folder / f"{number}.stop").exists()

    def reread(self) -> None:
        """Learn what other processes wrote."""
        self.trials = _read(self.folder / "state.jsonl")[1]

    def _append(self, line: Mapping[str, Any]) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        handle = os.open(self.folder / "state.jsonl", flags, 0o644)
        try:
            os.write(handle, b"\n" + json.dumps(line).encode() + b"\n")  # a torn line ends here
        finally:
            os.close(handle)


def begin(root: Path, plan: Plan) -> State:
    """Return the state of a new sweep."""
    folder = root / FOLDER / plan.id
    folder.mkdir(parents=True)
    if not (root / FOLDER / ".gitignore").exists():
        (root / FOLDER / ".gitignore").write_text("*\n")
    state = State(folder, plan)
    state._append({"plan": asdict(plan)})
    return state


def resume(root: Path, name: str) -> State:
    """Return the sweep `name`, the newest for "latest". Raises NotFound ("unknown-sweep")."""
    known = sorted(path.parent.name for path in (root / FOLDER).glob("*/state.jsonl"))
    found = known[-1:] if name == "latest" else [one for one in known if one.startswith(name)]
    plan, trials = (
        _read(root / FOLDER / found[0] / "state.jsonl") if len(found) == 1 else (None, {})
    )
    if plan is None:
        raise NotFound(
            f"there is no sweep {name!r}",
            code="unknown-sweep",
            hint=f"known: {', '.join(known[-5:]) or 'none'}",
        )
    return State(root / FOLDER / found[0], plan, trials)


def _read(path: Path) -> tuple[Plan | None, dict[int, Trial]]:
    plan: Plan | None = None
    trials: dict[int, Trial] = {}
    for text in path.read_bytes().split(b"\n"):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if "plan" in line:
            plan = _plan(line["plan"])
        elif "claim" in line:
            trials[line["claim"]] = Trial(line["claim"], line["values"])
        elif "end" in line:
            value = line["end"]
            value["series"] = tuple((step, number) for step, number in value["series"])
            trials[value["number"]] = Trial(**value)
    return plan, trials


def _plan(value: Mapping[str, Any]) -> Plan:
    axes = tuple(Axis(**{**axis, "values": tuple(axis["values"])}) for axis in value["axes"])
    return Plan(**{**value, "axes": axes, "targets": tuple(value["targets"])})
