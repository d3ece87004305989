"""Which values a sweep tries next; always the same for the same plan and the same results."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mlops_cli.errors import MissingExtra, UsageError
from mlops_cli.experiments.axes import Axis
from mlops_cli.experiments.state import Plan, Trial


def total(plan: Plan) -> int:
    """Return how many trials the sweep has at most. Raises UsageError ("bad-options")."""
    endless = [axis.name for axis in plan.axes if axis.continuous]
    if plan.by == "grid":
        if endless:
            raise UsageError(
                f"{endless[0]} is a range, which a grid cannot count through",
                code="bad-options",
                hint="name its values, or add --random 20",
            )
        count = math.prod(len(axis.values) for axis in plan.axes)
        return min(count, plan.trials) if plan.trials else count
    return plan.trials


def values(plan: Plan, number: int, over: Sequence[Trial]) -> dict[str, Any]:
    """Return what trial `number` is run with; `over` are those that ended before."""
    if plan.by == "grid":
        combination = next(
            itertools.islice(itertools.product(*(a.values for a in plan.axes)), number, None)
        )
        return {a.name: value for a, value in zip(plan.axes, combination, strict=True)}
    if plan.by == "random":
        source = random.Random(f"{plan.seed}/{number}")
        return {axis.name: axis.draw(source) for axis in plan.axes}
    return _suggested(plan, number, over)


def hopeless(
    plan: Plan, points: Sequence[tuple[int, float]], others: Collection[Trial], *, least: int = 3
) -> bool:
    """Tell whether a trial that runs should be stopped, by the median rule.

    It should when its best figure so far is worse than the median of the averages that the
    trials which are done had up to the same step; asked from `least` such trials on.
    https://research.google/pubs/google-vizier-a-service-for-black-box-optimization/ (3.2.2)
    """
    if not points:
        return False
    step = points[-1][0]
    averages = [
        statistics.fmean(value for at, value in trial.series if at <= step)
        for trial in others
        if trial.status == "done" and trial.series and trial.series[0][0] <= step
    ]
    if len(averages) < least:
        return False
    best = max if plan.goal == "max" else min
    reached, middle = best(value for _, value in points), statistics.median(averages)
    return reached < middle if plan.goal == "max" else reached > middle


def best(plan: Plan, trials: Collection[Trial]) -> Trial | None:
    """Return the trial that came out best, the earlier of two that are alike."""
    done = [one for one in trials if one.status == "done" and one.value is not None]
    sign = -1 if plan.goal == "max" else 1
    return min(done, key=lambda one: (sign * (one.value or 0.0), one.number), default=None)


def _suggested(plan: Plan, number: int, over: Sequence[Trial]) -> dict[str, Any]:
    """Ask Optuna's TPE, told again all that is known: its study is never kept."""
    try:
        import optuna
    except ImportError as exc:
        raise MissingExtra.of("optuna", "sweep") from exc
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spread = {axis.name: _distribution(optuna, axis) for axis in plan.axes}
    direction = "maximize" if plan.goal == "max" else "minimize"
    sampler = optuna.samplers.TPESampler(seed=plan.seed + number)
    study = optuna.create_study(direction=direction, sampler=sampler)
    for trial in over:
        if trial.status == "done" and trial.value is not None:
            given = {axis.name: _told(axis, trial.values[axis.name]) for axis in plan.axes}
            told = optuna.trial.create_trial(params=given, distributions=spread, value=trial.value)
            study.add_trial(told)
    asked: Mapping[str, Any] = study.ask(spread).params
    return {
        axis.name: axis.values[asked[axis.name]] if axis.values else asked[axis.name]
        for axis in plan.axes
    }


def _told(axis: Axis, value: Any) -> Any:
    return axis.values.index(value) if axis.values else value


def _distribution(optuna: Any, axis: Axis) -> Any:
    if axis.values:  # by place: lists and None are choices as well
        return optuna.distributions.CategoricalDistribution(list(range(len(axis.values))))
    if axis.integer:
        return optuna.distributions.IntDistribution(int(axis.low), int(axis.high))
    return optuna.distributions.FloatDistribution(axis.low, axis.high, log=axis.log)
