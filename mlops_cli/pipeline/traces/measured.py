"""What steps measured, at one commit and at another or in the workspace: metrics that differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.pipeline.traces.lock import FOLDER, Lock, read_locks, read_locks_at
from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one step, then and now; None where it was not measured."""

    step: str
    metric: str
    old: float | None
    new: float | None


def differences(git: Git, root: Path, start: str | None, end: str | None) -> list[Measured]:
    """Return the metrics that differ between two commits; `end` None stands for the workspace.

    Raises IntegrityError ("malformed-lock").
    """
    here = sorted(path.stem for path in (root / FOLDER).glob("*.json")) if end is None else []
    old = _metrics(read_locks_at(git, start) if start else {})
    new = _metrics(read_locks_at(git, end) if end else read_locks(root, here))
    return [
        Measured(*at, old.get(at), new.get(at))
        for at in sorted(old.keys() | new.keys())
        if old.get(at) != new.get(at)
    ]


def _metrics(locks: Mapping[str, Lock]) -> dict[tuple[str, str], float]:
    return {
        (step, metric): value
        for step, lock in locks.items()
        for metric, value in lock.metrics.items()
    }
