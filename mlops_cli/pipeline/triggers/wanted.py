"""The windows that a trigger wants to have run by now, and what became of each so far."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.triggers import Trigger
from mlops_cli.pipeline.triggers.claim import Claim
from mlops_cli.pipeline.triggers.outlook import Due, Look, State
from mlops_cli.pipeline.words.cron import following, latest, occurrences

MOST = 1000  # windows that one tick looks at
Wants = tuple[list[Due], str]  # windows, or why there is none


def wanted(state: State, name: str, trigger: Trigger, at: datetime) -> Wants:
    """Return the windows of `trigger` that nobody has run or runs, or why there is none."""
    look, claims = state.look(name), state.claims.get(name, ())
    if trigger.cron:
        windows, quiet = _by_clock(name, trigger, look, claims, at)
    else:
        reason = _REASONS["until" if trigger.until else str(trigger.on)]
        windows, quiet = _by_event(name, trigger, look, claims, at, reason)
    known = {claim.window: claim for claim in claims}
    left, told = [], ""
    for window in windows:
        claim = known.get(window.window)
        again = window if claim is None else _again(state, trigger, window, claim, at)
        if again is not None:
            left.append(again)
        elif claim is not None:
            told = _told(claim, at)
    return left, "" if left else "; ".join(part for part in (told, quiet) if part)


def _again(state: State, trigger: Trigger, window: Due, claim: Claim, at: datetime) -> Due | None:
    """Return what is to be done about a window that was claimed already."""
    if claim.alive(at) or claim.status == "done":
        return None
    if claim.status == "failed":
        if claim.attempt > trigger.retries:
            return None
        why = f"attempt {claim.attempt} of {trigger.retries + 1} failed"
        return _replaced(window, claim, why, ())
    why = f"{claim.machine} claimed it and was last heard of at {_utc(claim.renewed)}"
    seen_dead = claim.id in state.watched
    against = () if seen_dead else ("this machine watches first whether the claim is renewed",)
    return _replaced(window, claim, why, against)


def _replaced(window: Due, claim: Claim, why: str, against: tuple[str, ...]) -> Due:
    return Due(
        window.trigger, window.run, window.window, window.moment, (*window.because, why),
        against, window.seen, claim, claim.attempt + 1,
    )  # fmt: skip


def _by_clock(
    name: str, trigger: Trigger, look: Look, claims: tuple[Claim, ...], at: datetime
) -> Wants:
    assert trigger.cron is not None
    cron, zone = trigger.cron, trigger.timezone
    if look.since is None:
        return [], "its schedule is not committed, and counts from its commit on"
    done = max((claim.moment for claim in claims), default=look.since)
    newest = latest(cron, zone, at)
    if newest is None or newest <= look.since:
        return [], f"next at {_next(cron, zone, at)}"
    if trigger.catch_up == "all":
        over = {claim.moment for claim in claims if claim.status == "done"}
        missed_ones = (
            one for one in occurrences(cron, zone, base(look, claims), at) if one not in over
        )
        some = itertools.islice(missed_ones, MOST)
        return [_window(name, trigger, one, 0) for one in some], f"next at {_next(cron, zone, at)}"
    late = at - newest
    if trigger.catch_up == "none" and late > duration(trigger.grace):
        return [], f"{_utc(newest)} was missed, and nothing is caught up; next at " + _next(
            cron, zone, at
        )
    missed = 0
    if newest > done:
        between = occurrences(cron, zone, max(done, look.since), newest)
        missed = sum(1 for _ in itertools.islice(between, MOST)) - 1
    return [_window(name, trigger, newest, missed)], f"next at {_next(cron, zone, at)}"


def base(look: Look, claims: Sequence[Claim]) -> datetime:
    """Return the time up to which every window of a schedule is settled."""
    assert look.since is not None
    return max([look.since, *(claim.moment for claim in claims if claim.floor)])


def _window(name: str, trigger: Trigger, moment: datetime, missed: int) -> Due:
    zone = "" if trigger.timezone == "UTC" else f" in {trigger.timezone}"
    because = [f"{trigger.cron!r}{zone} came round at {_utc(moment)}"]
    if missed:
        because.append(f"{missed} earlier window{'s were' if missed > 1 else ' was'} missed")
    return Due(name, trigger.run, f"{moment:%Y%m%dT%H%M%SZ}", moment, tuple(because))


def _next(cron: str, zone: str, at: datetime) -> str:
    found = following(cron, zone, at)
    return _utc(found) if found else "no time"


def _by_event(
    name: str,
    trigger: Trigger,
    look: Look,
    claims: tuple[Claim, ...],
    at: datetime,
    reason: Callable[[Trigger, Look, tuple[Claim, ...]], tuple[str, str]],
) -> Wants:
    """One window for each value: what comes back after another one is a new window."""
    if look.value is None:
        return [], look.told or "there is nothing to look at"
    last = max(claims, key=lambda one: one.claimed, default=None)
    if last is not None and last.seen.get("value") == look.value:
        because = last.because[:1] or (look.told,)
        return [Due(name, trigger.run, last.window, last.moment, because, seen=last.seen)], ""
    why, quiet = reason(trigger, look, claims)
    if quiet:
        return [], quiet
    word = look.value.removeprefix("sha256:")[:12]
    times = max(
        (_time(one.window) for one in claims if one.window.partition(".")[0] == word), default=0
    )
    seen: dict[str, Any] = {"value": look.value}
    if look.rows is not None:
        seen["rows"] = look.rows
    window = f"{word}.{times + 1}" if times else word
    return [Due(name, trigger.run, window, at, (why,), seen=seen)], ""


def _time(window: str) -> int:
    return int(window.partition(".")[2] or 1)


def _new_data(trigger: Trigger, look: Look, claims: tuple[Claim, ...]) -> tuple[str, str]:
    if look.value == look.used:
        return "", f"the last run used {trigger.of} as it is"
    known = [one.seen["rows"] for one in claims if "rows" in one.seen]
    before = look.rows_used if look.rows_used is not None else next(reversed(known), None)
    if look.used is None and before is None:
        return f"no run has used {trigger.of} yet", ""
    if look.rows is None or before is None:
        return f"{trigger.of} changed since the last run that used it", ""
    fresh = look.rows - before
    if trigger.min_rows is not None and fresh < trigger.min_rows:
        return "", f"{trigger.of} has {fresh:,} new rows of {trigger.min_rows:,}"
    return f"{trigger.of} has {fresh:,} new row{'' if fresh == 1 else 's'}", ""


def _drift(trigger: Trigger, look: Look, _claims: tuple[Claim, ...]) -> tuple[str, str]:
    if look.value == look.used:
        return "", f"the last decision of {trigger.of} was carried out"
    return f"{trigger.of} decided to retrain: {look.told}", ""


def _push(trigger: Trigger, look: Look, _claims: tuple[Claim, ...]) -> tuple[str, str]:
    if look.value == look.used:
        return "", f"{trigger.branch} has not moved since"
    return f"{trigger.branch} moved to {str(look.value)[:10]}", ""


def _until(trigger: Trigger, look: Look, claims: tuple[Claim, ...]) -> tuple[str, str]:
    assert trigger.until is not None
    if look.value == look.used:
        return "", f"the goal is met: {look.told}"
    tries = sum(1 for one in claims if look.met is None or one.claimed >= look.met)
    if tries >= trigger.until.tries:
        return "", f"tried {tries} times, and still {look.told}"
    return f"try {tries + 1} of {trigger.until.tries}: {look.told}", ""


_REASONS = {"new_data": _new_data, "drift": _drift, "push": _push, "until": _until}


def _told(claim: Claim, at: datetime) -> str:
    if claim.alive(at):
        return f"{claim.machine} runs {claim.window} since {_utc(claim.claimed)}"
    ended = _utc(claim.ended or claim.claimed)
    return (
        f"{claim.window} was {'run' if claim.status == 'done' else 'tried and failed'} at {ended}"
    )


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
