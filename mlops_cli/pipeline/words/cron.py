"""When a cron expression comes round in a time zone; every answer is in UTC.

Clocks that change are treated as cron of Debian does: an expression that names hours comes round
once in the hour that is doubled, and at its end where that hour does not exist; one that runs
every few minutes or every hour follows the time that really passes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_CHANGE = timedelta(hours=3)  # no clock was ever changed by more at once


def occurrences(cron: str, zone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the moments in (after, until], in order."""
    day = after.astimezone(UTC).date()
    while day <= until.astimezone(UTC).date():
        yield from (moment for moment in _of_day(cron, zone, day) if after < moment <= until)
        day += _DAY


def latest(cron: str, zone: str, at: datetime) -> datetime | None:
    """Return the last moment that is not after `at`; None where there was none in 50 years."""
    from cronsim import CronSim

    day = at.astimezone(UTC).date()
    here = at.astimezone(ZoneInfo(zone))
    while True:
        for one in (day + _DAY, day, day - _DAY):
            if found := [moment for moment in _of_day(cron, zone, one) if moment <= at]:
                return found[-1]
        # a look from afar, so that what comes round once a year needs no year of days
        near = next(CronSim(cron, here, reverse=True), None)
        if near is None:
            return None
        here, day = near, near.astimezone(UTC).date()


def following(cron: str, zone: str, at: datetime) -> datetime | None:
    """Return the first moment after `at`; None where there is none in 50 years."""
    from cronsim import CronSim

    day = at.astimezone(UTC).date()
    here = at.astimezone(ZoneInfo(zone))
    while True:
        for one in (day - _DAY, day, day + _DAY):
            for moment in _of_day(cron, zone, one):
                if moment > at:
                    return moment
        near = next(CronSim(cron, here), None)
        if near is None:
            return None
        here, day = near, near.astimezone(UTC).date()


def refusal(cron: str) -> str | None:
    """Return why `cron` is no expression that ever comes round, None where it is one."""
    from cronsim import CronSim, CronSimError

    if len(cron.split()) != 5:
        return "it needs five fields: minute, hour, day, month, day of the week"
    try:
        first = next(CronSim(cron, datetime(2000, 1, 1, tzinfo=UTC)), None)
    except CronSimError as exc:
        return str(exc).lower()
    return None if first else "it never comes round"


def zone_exists(zone: str) -> bool:
    """Return whether `zone` is a time zone that this machine knows."""
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        return False
    return True


@functools.lru_cache(maxsize=4096)
def _of_day(cron: str, zone: str, day: date) -> tuple[datetime, ...]:
    """Return the moments of one day of UTC: the same ones wherever a question begins."""
    from cronsim import CronSim

    start = datetime.combine(day, time(), UTC)
    found: dict[datetime, None] = {}  # two moments of an hour that does not exist are one
    for local in CronSim(cron, (start - _CHANGE).astimezone(ZoneInfo(zone))):
        moment = local.astimezone(UTC)
        if moment >= start + _DAY:
            break
        if moment >= start:
            found[moment] = None
    return tuple(sorted(found))
