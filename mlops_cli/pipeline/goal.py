"""`until:`: a goal for a metric, "auc >= 0.9"; a step that misses it is tried again."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.errors import StepFailed
from mlops_cli.pipeline.step import Step

MISSED = "goal"  # the class of such a failure
USUAL = 5  # tries
VARIABLE = "MLOPS_TRY"  # in the environment of the step: 1, 2, …
TRY = "${try}"  # the same in its command
_WORDS = re.compile(r"\s*([A-Za-z0-9_.@/-]+)\s*(>=|<=|>|<)\s*([-+0-9.eE]+)\s*")
_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Until:
    """The step is tried again until `metric` holds ("auc >= 0.9"), at most `tries` times and not
    after its tries have taken `budget` together. `${try}` in its command is 1, 2, …"""

    metric: str
    tries: int = USUAL
    budget: str | None = None


def read(text: str) -> tuple[str, str, float]:
    """Return the metric, the sign and the number of a goal. Raises ValueError."""
    match = _WORDS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no goal such as auc >= 0.9")
    return match[1], match[2], float(match[3])


def judge(step: Step, log: str, metrics: Mapping[str, float]) -> None:
    """Raise StepFailed unless the step reached its goal ("goal-missed", "metric-missing")."""
    if not step.until:
        return
    name, sign, number = read(step.until["metric"])
    details = {"step": step.name, "log": log, "metrics": dict(metrics)}
    if name not in metrics:
        from mlops_cli.pipeline.document import meant

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
    from mlops_cli.pipeline.model import duration

    budget = until.get("budget")
    spent = budget is not None and seconds >= duration(budget).total_seconds()
    return tried < until.get("tries", USUAL) and not spent
