"""When schedules come round, above all when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlops_cli.pipeline.words.cron import following, latest, occurrences, refusal, zone_exists

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(cron: str, zone: str, after: str, until: str) -> list[str]:
    found = occurrences(cron, zone, at(after), at(until))
    return [moment.strftime("%d %H:%M") for moment in found]


def test_an_hour_that_does_not_exist_is_run_at_its_end() -> None:
    # on 29 March 2026 02:00 is followed by 03:00, which is 01:00 UTC
    found = times("30 2 * * *", BERLIN, "2026-03-28", "2026-03-31")
    assert found == ["28 01:30", "29 01:00", "30 00:30"]


def test_two_times_of_an_hour_that_does_not_exist_are_one_window() -> None:
    assert times("0,30 2 * * *", BERLIN, "2026-03-29", "2026-03-29T12:00") == ["29 01:00"]


def test_an_hour_that_comes_twice_is_run_once() -> None:
    # on 25 October 2026 03:00 summer time is followed by 02:00 winter time
    found = times("30 2 * * *", BERLIN, "2026-10-24", "2026-10-27")
    assert found == ["24 00:30", "25 00:30", "26 01:30"]


def test_what_runs_every_half_hour_follows_the_time_that_passes() -> None:
    assert len(times("*/30 * * * *", BERLIN, "2026-10-24T22:00", "2026-10-25T23:00")) == 50
    assert len(times("*/30 * * * *", BERLIN, "2026-03-28T23:00", "2026-03-29T22:00")) == 46


def test_asked_in_the_second_of_two_hours_the_last_time_was_in_the_first() -> None:
    again = at("2026-10-25T01:10")  # 02:10 for the second time
    assert latest("30 2 * * *", BERLIN, again) == at("2026-10-25T00:30")


def test_what_comes_once_in_four_years_is_found_in_both_directions() -> None:
    assert latest("0 3 29 2 *", "UTC", at("2027-01-01")) == at("2024-02-29T03:00")
    assert following("0 3 29 2 *", "UTC", at("2027-01-01")) == at("2028-02-29T03:00")


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("0 3 * *", "five fields"),
        ("0 0 3 * * *", "five fields"),
        ("61 3 * * *", "bad minute"),
        ("0 3 30 2 *", "bad day"),
        ("@daily", "five fields"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(cron: str, why: str) -> None:
    assert why in str(refusal(cron))


def test_a_zone_is_known_or_not() -> None:
    assert zone_exists("America/New_York")
    assert not zone_exists("Europe/Atlantis")
    assert not zone_exists("../../etc/passwd")
