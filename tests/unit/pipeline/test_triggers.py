"""What is due, as a function of a state and a clock."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops_cli.errors import StateRefused
from mlops_cli.pipeline.model.triggers import Budget, Goal, Limits, Trigger
from mlops_cli.pipeline.triggers.claim import Claim
from mlops_cli.pipeline.triggers.due import due, judge, moments, refuse_clock, schedule
from mlops_cli.pipeline.triggers.outlook import Look, Spent, State
from mlops_cli.pipeline.triggers.settled import settled

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NIGHTLY = Trigger("train", cron="0 3 * * *")


def day(number: int, hour: int = 4) -> datetime:
    return BEGAN + timedelta(days=number - 1, hours=hour)


def state(trigger: Trigger = NIGHTLY, look: Look | None = None, **more: Any) -> State:
    return State({"t": trigger}, looks={"t": look or Look(since=BEGAN)}, **more)


def claimed(window: str, time: datetime, **more: Any) -> Claim:
    known = {"moment": time, "machine": "m", "renewed": time, "expires": time + timedelta(hours=1)}
    return Claim(**{"trigger": "t", "window": window, "claimed": time, **known, **more})


def ended(window: str, time: datetime, **more: Any) -> Claim:
    return claimed(window, time, **{"status": "done", "ended": time, "id": window, **more})


def windows(known: State, at: datetime) -> list[str]:
    return [one.window for one in due(known, at)]


def against(known: State, at: datetime) -> str:
    return "; ".join(why for each in judge(known, at) for w in each.windows for why in w.against)


def quiet(known: State, at: datetime) -> str:
    return "; ".join(each.quiet for each in judge(known, at))


# by the clock


def test_a_schedule_counts_from_its_commit() -> None:
    assert windows(state(), day(1, 2)) == []
    assert windows(state(), day(1)) == ["20260101T030000Z"]
    assert windows(state(look=Look()), day(1)) == []
    assert "not committed" in quiet(state(look=Look()), day(1))


def test_of_missed_windows_one_is_caught_up_and_it_says_how_many_there_were() -> None:
    (one,) = due(state(), day(5))
    assert one.window == "20260105T030000Z"
    assert one.because[1] == "4 earlier windows were missed"


def test_all_are_caught_up_in_order_where_that_is_wanted() -> None:
    known = state(dataclasses.replace(NIGHTLY, catch_up="all"))
    assert windows(known, day(3)) == [f"2026010{n}T030000Z" for n in (1, 2, 3)]
    known = known.with_claim(ended("20260102T030000Z", day(2, 3)))  # another machine's, out of turn
    assert windows(known, day(3)) == ["20260101T030000Z", "20260103T030000Z"]


def test_none_is_caught_up_where_that_is_wanted() -> None:
    known = state(dataclasses.replace(NIGHTLY, catch_up="none"))
    assert windows(known, day(2, 3)) == ["20260102T030000Z"]
    assert windows(known, day(2, 5)) == []
    assert "missed" in quiet(known, day(2, 5))


def test_a_window_that_was_run_is_not_due_again() -> None:
    known = state().with_claim(ended("20260105T030000Z", day(5, 3)))
    assert windows(known, day(5)) == []
    assert windows(known, day(6)) == ["20260106T030000Z"]


# claims of others


def test_a_window_that_somebody_runs_is_left_to_them() -> None:
    known = state().with_claim(claimed("20260105T030000Z", day(5)))
    assert windows(known, day(5) + timedelta(minutes=59)) == []
    assert "m runs 20260105T030000Z" in quiet(known, day(5))


def test_a_dead_claim_is_taken_over_once_it_was_watched() -> None:
    dead = claimed("20260105T030000Z", day(5), id="c1")
    known, later = state().with_claim(dead), day(5) + timedelta(hours=2)
    assert "watches first" in against(known, later)
    (one,) = due(dataclasses.replace(known, watched=frozenset({"c1"})), later)
    assert (one.takes, one.attempt) == (dead, 2)
    assert "last heard of" in one.because[-1]


def test_what_failed_is_tried_again_as_often_as_it_says() -> None:
    failed = ended("20260105T030000Z", day(5), status="failed")
    assert windows(state().with_claim(failed), day(5)) == []
    known = state(dataclasses.replace(NIGHTLY, retries=1)).with_claim(failed)
    assert windows(known, day(5)) == ["20260105T030000Z"]
    again = dataclasses.replace(failed, attempt=2)
    assert windows(known.with_claim(again), day(5)) == []


def test_a_claim_whose_end_is_in_the_ledger_has_ended() -> None:
    """The machine ran the window, and the remote was gone when it wanted to say so."""
    running = claimed("20260105T030000Z", day(5))
    told = Spent("t", "20260105T030000Z", 1, day(5))
    known = state(spent=(told,)).with_claims({"t": (running,)})
    later = day(5) + timedelta(hours=2)
    assert windows(known, later) == [] and against(known, later) == ""
    assert "was run" in quiet(known, later)
    failed = dataclasses.replace(told, status="failed")
    again = dataclasses.replace(NIGHTLY, retries=1)
    known = state(again, spent=(failed,)).with_claims({"t": (running,)})
    assert windows(known, later) == ["20260105T030000Z"]


# what restrains


def test_a_cooldown_keeps_a_distance_and_loses_nothing() -> None:
    trigger = dataclasses.replace(NIGHTLY, cooldown="2d")
    known = state(trigger).with_claim(ended("20260105T030000Z", day(5, 3)))
    assert "until 2026-01-07 03:00" in against(known, day(6))
    assert windows(known, day(7)) == ["20260107T030000Z"]


def test_no_more_run_at_once_than_the_limits_say() -> None:
    other = claimed("x", day(5), trigger="other", expires=day(6))
    known = state().with_claim(other)
    assert "1 of 1 at once" in against(known, day(5))
    assert windows(dataclasses.replace(known, limits=Limits(concurrency=2)), day(5))
    own = claimed("20260104T030000Z", day(4), expires=day(6))
    trigger = dataclasses.replace(NIGHTLY, concurrency=1)
    both = dataclasses.replace(state(trigger, limits=Limits(concurrency=9)).with_claim(own))
    assert "t/20260104T030000Z among them" in against(both, day(5))


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(runs=2, per="7d"), "2 runs per 7d"),
        (Budget(cpu_hours=1.5, per="7d"), "1.5 CPU hours per 7d is spent: 2.00"),
        (Budget(money=3, cpu_hour=1.5, per="7d"), "3 per 7d is spent: 3.00"),
    ],
)
def test_a_budget_is_spent_and_comes_back_with_time(budget: Budget, words: str) -> None:
    told = Spent("t", "a", 1, day(3), 3600.0)  # by the ledger
    only_claimed = ended("20260104T030000Z", day(4), cpu_seconds=3600.0)
    doubly = ended("a", day(3), cpu_seconds=3600.0)  # is in the ledger, too
    known = state(dataclasses.replace(NIGHTLY, budget=budget), spent=(told,))
    known = known.with_claim(doubly).with_claim(only_claimed)
    assert words in against(known, day(5))
    assert windows(known, day(11)) == ["20260111T030000Z"]
    shared = dataclasses.replace(known, triggers={"t": NIGHTLY}, limits=Limits(budget=budget))
    assert words in against(shared, day(5))


def test_windows_of_one_tick_share_a_budget() -> None:
    trigger = dataclasses.replace(NIGHTLY, catch_up="all", budget=Budget(runs=2))
    assert len(windows(state(trigger), day(9))) == 2


# by what happens


def test_data_that_changed_is_due_once() -> None:
    trigger = Trigger("train", on="new_data", of="data.days")
    known = state(trigger, Look(value="sha256:bb", used="sha256:aa", rows=30, rows_used=10))
    (one,) = due(known, day(5))
    assert one.because == ("data.days has 20 new rows",)
    known = known.with_claim(ended(one.window, day(5), seen=one.seen))
    assert windows(known, day(6)) == []
    back = dataclasses.replace(known, looks={"t": Look(value="sha256:aa", used="sha256:bb")})
    (two,) = due(back, day(7))
    back = back.with_claim(ended(two.window, day(7), seen=two.seen))
    again = dataclasses.replace(back, looks={"t": Look(value="sha256:bb", used="sha256:aa")})
    assert windows(again, day(8)) == ["bb.2"]


def test_too_few_new_rows_are_not_due() -> None:
    trigger = Trigger("train", on="new_data", of="data.days", min_rows=100)
    look = Look(value="sha256:bb", used="sha256:aa", rows=30, rows_used=10)
    assert windows(state(trigger, look), day(5)) == []
    assert "20 new rows of 100" in quiet(state(trigger, look), day(5))
    assert windows(state(trigger, dataclasses.replace(look, rows=110)), day(5))


def test_a_decision_to_retrain_is_consumed_once() -> None:
    trigger = Trigger("retrain.m", on="drift", of="monitors.prod")
    known = state(trigger, Look(value="sha256:dd", told="drift was important"))
    (one,) = due(known, day(5))
    assert one.because == ("monitors.prod decided to retrain: drift was important",)
    assert windows(known.with_claim(ended(one.window, day(5), seen=one.seen)), day(6)) == []
    assert windows(state(trigger, Look(value="sha256:dd", used="sha256:dd")), day(5)) == []


def test_a_branch_that_moved_is_due() -> None:
    trigger = Trigger("train", on="push", branch="main")
    assert windows(state(trigger, Look(value="c1", used="c1")), day(5)) == []
    assert windows(state(trigger, Look(value="c2", used="c1")), day(5)) == ["c2"]


def test_a_goal_is_tried_for_as_often_as_it_says() -> None:
    trigger = Trigger("train", until=Goal("auc", at_least=0.9, tries=2))
    known = state(trigger, Look(value="sha256:r1", told="auc is 0.5"))
    assert windows(known, day(5)) == ["r1"]
    known = known.with_claim(ended("r1", day(5), seen={"value": "sha256:r1"}))
    known = dataclasses.replace(known, looks={"t": Look(value="sha256:r2", told="auc is 0.6")})
    (one,) = due(known, day(6))
    assert one.because == ("try 2 of 2: auc is 0.6",)
    known = known.with_claim(ended("r2", day(6), seen={"value": "sha256:r2"}))
    known = dataclasses.replace(known, looks={"t": Look(value="sha256:r3", told="auc is 0.7")})
    assert windows(known, day(7)) == []
    assert "tried 2 times" in quiet(known, day(7))
    met = Look(value="sha256:r4", used="sha256:r4", told="auc is 0.95", met=day(7))
    assert "met" in quiet(dataclasses.replace(known, looks={"t": met}), day(8))


# the clock of a machine, claims of old, a replay


def test_a_clock_that_is_behind_what_others_told_is_refused() -> None:
    told = (day(5), "the claim t/x of m2")
    refuse_clock(state(newest=told), day(5) - timedelta(minutes=4))
    with pytest.raises(StateRefused, match=r"t/x of m2 is of 2026-01-05 04:00:00 UTC") as refused:
        refuse_clock(state(newest=told), day(4))
    assert refused.value.code == "wrong-clock"


def test_claims_of_old_go_only_where_no_window_before_them_is_missing() -> None:
    every = dataclasses.replace(NIGHTLY, catch_up="all")
    done = [ended(f"{day(n, 3):%Y%m%dT%H%M%SZ}", day(n, 3)) for n in range(1, 41) if n != 5]
    known = state(every, claims={"t": tuple(done)})
    old, floor = settled(known, "t", day(50))
    assert [one.moment for one in old] == [day(n, 3) for n in (1, 2, 3)]
    assert floor is not None and floor.moment == day(4, 3)
    left = [one for one in done if one not in old and one != floor]
    after = state(every, claims={"t": (dataclasses.replace(floor, floor=True), *left)})
    assert windows(after, day(40)) == windows(known, day(40)) == ["20260105T030000Z"]
    assert len(settled(state(claims={"t": tuple(done)}), "t", day(50))[0]) == 19


def test_a_replay_is_what_ticks_would_have_run() -> None:
    known = state(dataclasses.replace(NIGHTLY, cooldown="2d"))
    played = list(schedule(known, moments(known, day(1, 0), day(8, 0))))
    assert [one.window for _, one in played] == [f"2026010{n}T030000Z" for n in (1, 3, 5, 7)]
