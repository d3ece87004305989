"""The policy: from what checks found to retrain, wait or stay, with the reasons in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.monitoring import Retrain

Action = Literal["retrain", "none", "blocked"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do and why; "blocked" is a retrain that was due and is not allowed now."""

    action: Action
    because: tuple[str, ...]


def decide(
    policy: Retrain,
    checks: Sequence[Mapping[str, str]],
    *,
    at: datetime,
    retrained: Sequence[datetime] = (),
) -> Decision:
    """Return the decision of `policy` at the time `at`.

    `checks` holds the severity of each family, newest first, this check at index 0;
    `retrained` the times of former retrains, in any order. Pure: the same state and clock give
    the same decision, so a lost or doubled call does no harm.
    """
    due = [reason for rule in policy.when if (reason := _due(rule, checks, at, retrained))]
    if not due:
        return Decision("none", ("no rule of the policy asks for it",))
    against = _against(policy, checks[0], at, retrained)
    if against:
        return Decision("blocked", (*due, *against))
    return Decision("retrain", tuple(due))


def _due(
    rule: Any, checks: Sequence[Mapping[str, str]], at: datetime, retrained: Sequence[datetime]
) -> str | None:
    if rule == "performance_drop":
        return "performance dropped" if checks[0].get("performance") == "important" else None
    if isinstance(rule, Mapping) and "drift" in rule:
        wanted, times = str(rule["drift"]), int(rule.get("for", 1))
        enough = {"warning": ("warning", "important"), "important": ("important",)}[wanted]
        recent = [item.get("drift") for item in checks[:times]]
        if len(recent) == times and all(item in enough for item in recent):
            return f"drift was {wanted} in {times} check{'s' if times > 1 else ''} in a row"
        return None
    if isinstance(rule, Mapping) and "schedule" in rule:
        return _scheduled(str(rule["schedule"]), at, retrained)
    return None


def _scheduled(cron: str, at: datetime, retrained: Sequence[datetime]) -> str | None:
    from cronsim import CronSim

    if not retrained:
        return None  # counted from the first training, which deploys
    return (
        f"the schedule {cron!r} came round" if next(CronSim(cron, max(retrained))) <= at else None
    )


def _against(
    policy: Retrain, check: Mapping[str, str], at: datetime, retrained: Sequence[datetime]
) -> list[str]:
    reasons = [
        f"never while {family} is important"
        for family in policy.never_when
        if check.get(family) == "important"
    ]
    if policy.cooldown and retrained:
        ready = max(retrained) + duration(policy.cooldown)
        if at < ready:
            reasons.append(f"the cooldown of {policy.cooldown} lasts until {ready:%Y-%m-%d %H:%M}")
    if policy.budget and policy.budget.runs is not None:
        since = at - duration(policy.budget.per)
        spent = sum(1 for time in retrained if time > since)
        if spent >= policy.budget.runs:
            budget = policy.budget
            reasons.append(f"the budget of {budget.runs} runs per {budget.per} is spent")
    return reasons
