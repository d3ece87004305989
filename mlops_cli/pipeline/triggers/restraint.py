"""Why a window may not run now: cool-down, concurrency, budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime

from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.triggers import Budget, Trigger
from mlops_cli.pipeline.triggers.outlook import Due, State


def restrained(
    state: State, trigger: Trigger, window: Due, at: datetime, granted: Sequence[Due]
) -> Due:
    """Return `window` with all that stands against it; `granted` may run in the same tick."""
    against = [
        *window.against,
        *_cooldown(state, trigger, window, at, granted),
        *_concurrency(state, trigger, window, at),
        *_spent(state, trigger.budget, window.trigger, at, granted),
        *_spent(state, state.limits.budget, None, at, granted),
    ]
    return dataclasses.replace(window, against=tuple(against)) if against else window


def slots(state: State, trigger: str) -> list[tuple[str, int]]:
    """Return the sets of slots of which a window of `trigger` takes one each, and their sizes."""
    own = state.triggers[trigger].concurrency
    return [("_/_", state.limits.concurrency), *([(f"_/{trigger}", own)] if own else [])]


def _cooldown(
    state: State, trigger: Trigger, window: Due, at: datetime, granted: Sequence[Due]
) -> list[str]:
    if not trigger.cooldown or window.takes is not None:
        return []
    if any(one.trigger == window.trigger for one in granted):
        return [f"the cooldown of {trigger.cooldown} begins with the window before it"]
    last = max((one.claimed for one in state.claims.get(window.trigger, ())), default=None)
    ready = last + duration(trigger.cooldown) if last else at
    if at >= ready:
        return []
    return [
        f"the cooldown of {trigger.cooldown} lasts until {ready.astimezone(UTC):%Y-%m-%d %H:%M}"
    ]


def _concurrency(state: State, trigger: Trigger, window: Due, at: datetime) -> list[str]:
    alive = [one for claims in state.claims.values() for one in claims if one.status == "running"]
    alive = [one for one in alive if one.alive(at) or one.id not in state.watched]
    alive = [one for one in alive if window.takes is None or one.id != window.takes.id]
    found = []
    if len(alive) >= state.limits.concurrency:
        found.append(_busy(len(alive), state.limits.concurrency, alive[0].name))
    own = [one for one in alive if one.trigger == window.trigger]
    if trigger.concurrency is not None and len(own) >= trigger.concurrency:
        found.append(_busy(len(own), trigger.concurrency, own[0].name))
    return found


def _busy(count: int, limit: int, first: str) -> str:
    return f"{count} of {limit} at once run already, {first} among them"


def _spent(
    state: State, budget: Budget | None, trigger: str | None, at: datetime, granted: Sequence[Due]
) -> list[str]:
    if budget is None:
        return []
    since = at - duration(budget.per)
    spent = [one for one in state.spending() if one.time > since and trigger in (None, one.trigger)]
    running = [
        one
        for claims in state.claims.values()
        for one in claims
        if one.status == "running" and one.claimed > since and trigger in (None, one.trigger)
    ]
    runs = len(spent) + len(running) + sum(1 for one in granted if trigger in (None, one.trigger))
    hours = sum(one.cpu_seconds for one in spent) / 3600
    found = []
    if budget.runs is not None and runs >= budget.runs:
        found.append(f"the budget of {budget.runs} runs per {budget.per} is spent")
    if budget.cpu_hours is not None and hours >= budget.cpu_hours:
        found.append(
            f"the budget of {budget.cpu_hours:g} CPU hours per {budget.per} is spent: {hours:.2f}"
        )
    if budget.money is not None and hours * budget.cpu_hour >= budget.money:
        cost = hours * budget.cpu_hour
        found.append(f"the budget of {budget.money:g} per {budget.per} is spent: {cost:.2f}")
    return found
