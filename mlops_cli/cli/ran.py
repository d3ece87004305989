"""What became of the windows that a tick took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlops_cli.errors import MlopsError
from mlops_cli.pipeline.triggers.outlook import Due


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a window that this machine took."""

    due: Due
    outcome: str  # done | failed
    record: str
    run: str | None
    seconds: float
    cpu_seconds: float
    error: MlopsError | None = None


def first_error(ran: Sequence[Ran]) -> MlopsError | None:
    """Return the error of the first window that failed, with what became of all."""
    error = next((one.error for one in ran if one.error), None)
    if error is not None:
        error.details["windows"] = [as_json(one) for one in ran]
    return error


def as_json(ran: Ran) -> dict[str, Any]:
    """Return what became of a window as plain values."""
    return {
        "trigger": ran.due.trigger,
        "window": ran.due.window,
        "runs": ran.due.run,
        "because": list(ran.due.because),
        "outcome": ran.outcome,
        "record": ran.record,
        "run": ran.run,
        "seconds": round(ran.seconds, 3),
        "cpu_seconds": round(ran.cpu_seconds, 3),
        "error": ran.error.code if ran.error else None,
    }
