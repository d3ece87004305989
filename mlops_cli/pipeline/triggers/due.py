"""What is due: a pure function of a state and a clock, so that lost or doubled ticks do no harm."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mlops_cli.errors import StateRefused
from mlops_cli.pipeline.triggers.claim import Claim
from mlops_cli.pipeline.triggers.outlook import Due, State
from mlops_cli.pipeline.triggers.restraint import restrained
from mlops_cli.pipeline.triggers.wanted import wanted
from mlops_cli.pipeline.words.cron import occurrences

SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer of one trigger: windows, or why there is none."""

    trigger: str
    windows: tuple[Due, ...]
    quiet: str = ""


def judge(state: State, at: datetime) -> list[Judged]:
    """Return the answer of every trigger at the time `at`, in the order of pipeline.yaml."""
    found = []
    granted: list[Due] = []
    for name, trigger in state.triggers.items():
        windows, quiet = wanted(state, name, trigger, at)
        held = []
        for one in windows:
            window = restrained(state, trigger, one, at, granted)
            if not window.against:
                granted.append(window)
            held.append(window)
        found.append(Judged(name, tuple(held), quiet))
    return found


def due(state: State, at: datetime) -> list[Due]:
    """Return the windows that may run at the time `at`, in the order in which they should."""
    return [one for each in judge(state, at) for one in each.windows if not one.against]


def schedule(state: State, ticks: Iterable[datetime]) -> Iterator[tuple[datetime, Due]]:
    """Yield (tick, window) for all that would run if every run were done at once: a replay."""
    for at in ticks:
        for one in due(state, at):
            yield at, one
            claim = Claim(
                one.trigger, one.window, one.moment, "replay", at, at, at, "done", at,
                one.attempt, seen=one.seen, floor=True,
            )  # fmt: skip
            if state.triggers[one.trigger].cron:  # of a schedule only the last one matters
                state = dataclasses.replace(
                    state, claims={**state.claims, one.trigger: ()}, spent=tuple(state.spending())
                )
            state = state.with_claim(claim)


def moments(state: State, after: datetime, until: datetime) -> list[datetime]:
    """Return when a schedule comes round in (after, until], and both ends."""
    found = {after, until}
    for trigger in state.triggers.values():
        if trigger.cron:
            found.update(occurrences(trigger.cron, trigger.timezone, after, until))
    return sorted(found)


def refuse_clock(state: State, at: datetime) -> None:
    """Raise StateRefused ("wrong-clock") where others have told of a time that is still to come."""
    if state.newest is None or state.newest[0] - at <= SKEW:
        return
    newest, who = state.newest
    raise StateRefused(
        f"the clock of this machine says {_utc(at)}, and {who} is of {_utc(newest)}: "
        "one of the two clocks is wrong",
        code="wrong-clock",
        hint="set this clock by NTP; if the other one was wrong: mlops tick --trust-clock",
        details={"now": at.isoformat(), "newest": newest.isoformat(), "of": who},
    )


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
