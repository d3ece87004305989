"""What became of an attempt: how a process ended, which outputs it left, in words."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_cli.errors import MlopsError, StepFailed
from mlops_cli.pipeline.attempts.process import Ended
from mlops_cli.pipeline.step import Step

SHOWN = 8  # last lines of the log in the message of an error


def of_step(step: Step, log: str, error: MlopsError, ended: Ended) -> MlopsError:
    """Return the error of a domain step with the name of the step and the place of its log."""
    return type(error)(
        f"step {step.name}: {error.message}",
        code=error.code,
        hint=error.hint or f"the log is {log}",
        details={
            **error.details,
            "step": step.name,
            "log": log,
            "tail": list(ended.tail[-SHOWN:]),
        },
    )


def judge(step: Step, log: str, ended: Ended, places: Mapping[str, Path]) -> None:
    """Raise StepFailed unless the process ended well and every output is at its place."""
    details = {"step": step.name, "log": log, "tail": list(ended.tail[-SHOWN:])}
    if ended.timed_out:
        how, code = f"took longer than its timeout of {step.timeout}", "step-timed-out"
    elif ended.code < 0:
        how, code = f"was ended by {_signal_name(-ended.code)}", "step-killed"
    elif ended.code:
        how, code = f"failed with exit status {ended.code}", "step-failed"
    else:
        for out in step.outs:
            if not os.path.lexists(places[out]):
                raise StepFailed(
                    f"step {step.name} ended well, and did not write its output {out}",
                    code="output-missing",
                    hint=f"correct outs: of {step.name}, or the command; the log is {log}",
                    details={**details, "path": out},
                )
        return
    said = "".join(f"\n  | {line}" for line in ended.tail[-SHOWN:])
    raise StepFailed(
        f"step {step.name} {how}{said}",
        code=code,
        hint=f"the log is {log}; mend the step and run the same command again",
        details={**details, "exit_status": ended.code},
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def metrics(step: Step, root: Path) -> dict[str, float]:
    """Return the numbers in the metrics files of a command by dotted name."""
    found: dict[str, float] = {}
    for path in step.metrics:
        try:
            value = json.loads((root / path).read_bytes())
        except (OSError, ValueError) as exc:
            raise StepFailed(
                f"step {step.name}: its metrics file {path} is not JSON",
                code="metrics-malformed",
                hint='write numbers by name: {"accuracy": 0.9}',
                details={"step": step.name, "path": path},
            ) from exc
        _numbers("", value, found)
    return found


def _numbers(prefix: str, value: Any, found: dict[str, float]) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            _numbers(f"{prefix}.{name}" if prefix else str(name), item, found)
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        found[prefix] = value
