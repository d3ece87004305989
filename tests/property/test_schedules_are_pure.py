"""Ticks are level-triggered: when and how often one looks changes nothing that is due."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_cli.pipeline.model.triggers import Limits, Trigger
from mlops_cli.pipeline.triggers.due import moments, schedule
from mlops_cli.pipeline.triggers.outlook import Look, State
from mlops_cli.pipeline.words.cron import latest, occurrences

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
START = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)

minute = st.one_of(st.integers(0, 59).map(str), st.sampled_from(["0,30", "*/20", "5-50/15"]))
rarely = st.one_of(st.integers(0, 23).map(str), st.sampled_from(["1,2,3", "*/6", "0-4/2"]))
hour = st.one_of(rarely, st.just("*"))
days = st.sampled_from(["*", "1", "1,15", "*/10", "L"])
weekday = st.sampled_from(["*", "MON-FRI", "0", "SUN#1"])


def expressions(hours: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda m, h, d, w: f"{m} {h} {d} * {w}", minute, hours, days, weekday)


crons = expressions(hour)
zones = st.sampled_from(ZONES)
seconds = st.integers(0, int(YEAR.total_seconds()))
policies = st.sampled_from(["one", "all", "none"])


def state(cron: str, zone: str, catch_up: str = "one") -> State:
    trigger = Trigger("x", cron=cron, timezone=zone, catch_up=catch_up)  # type: ignore[arg-type]
    return State({"t": trigger}, Limits(concurrency=1), {"t": Look(since=START)})


@settings(max_examples=8, deadline=None)
@given(expressions(rarely), zones, policies)
def test_a_year_replayed_twice_is_the_same(cron: str, zone: str, catch_up: str) -> None:
    known = state(cron, zone, catch_up)
    ticks = moments(known, START, START + YEAR)
    once = [(at, one.window) for at, one in schedule(known, ticks)]
    assert once == [(at, one.window) for at, one in schedule(known, ticks)]
    names = [window for _, window in once]
    assert len(names) == len(set(names)), "no window twice"


@settings(max_examples=40, deadline=None)
@given(crons, zones, seconds, seconds)
def test_time_may_be_cut_anywhere(cron: str, zone: str, first: int, second: int) -> None:
    middle = START + timedelta(seconds=first)
    cut = middle + timedelta(seconds=second % (30 * 86400))
    end = cut + timedelta(days=3)
    whole = list(occurrences(cron, zone, middle, end))
    assert whole == [*occurrences(cron, zone, middle, cut), *occurrences(cron, zone, cut, end)]
    assert whole == sorted(set(whole))
    if whole:
        assert latest(cron, zone, end) == whole[-1]


@settings(max_examples=25, deadline=None)
@given(crons, zones, st.lists(st.integers(0, 20 * 86400), max_size=30), st.integers(0, 99))
def test_lost_and_doubled_ticks_do_no_harm(
    cron: str, zone: str, offsets: list[int], seed: int
) -> None:
    """Whatever moments one ticks at, in the end each window has run once."""
    known, end = state(cron, zone, "all"), START + timedelta(days=20)
    ticks = sorted(START + timedelta(seconds=one) for one in offsets)
    doubled = sorted([*ticks, *random.Random(seed).choices(ticks, k=5)] if ticks else [])
    ran = [one.moment for _, one in schedule(known, [*doubled, end, end])]
    assert ran == list(occurrences(cron, zone, START, end))[:2000]
