"""Whether an attempt reached the goal of its step; one that missed it is tried again."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from mlops_cli.errors import StepFailed
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.steps import TRIES
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.words.goal import read

MISSED = "goal"  # the class of such a failure
VARIABLE = "MLOPS_TRY"  # in the environment of the step: 1, 2, …
TRY = "${try}"  # the same in its command
_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def judge(step: Step, log: str, metrics: Mapping[str, float]) -> None:
    """Raise StepFailed unless the step reached its goal ("goal-missed", "metric-missing")."""
    if not step.until:
        return
    name, sign, number = read(step.until["metric"])
    details = {"step": step.name, "log": log, "metrics": dict(metrics)}
    if name not in metrics:
        from mlops_cli.pipeline.words.document import meant

        raise StepFailed(
            f"step {step.name} tells no metric {name}, which is its goal",
            code="metric-missing",
            hint=meant(name, metrics) if metrics else "write it to a file under metrics:",
            details=details,
        )
    if not _SIGNS[sign](metrics[name], number):
        raise StepFailed(
            f"step {step.name} missed its goal: {name} is {metrics[name]:g}, "
            f"to be {sign} {number:g}",
            code="goal-missed",
            hint="more tries, a larger budget, or another goal: until: {metric: …, tries: …}",
            details=details,
        )


def again(until: Mapping[str, Any], tried: int, seconds: float) -> bool:
    """Return whether to try once more after `tried` tries that took so many seconds."""
    budget = until.get("budget")
    spent = budget is not None and seconds >= duration(budget).total_seconds()
    return tried < until.get("tries", TRIES) and not spent
