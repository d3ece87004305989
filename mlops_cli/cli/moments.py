"""Moments as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

from mlops_cli.errors import UsageError


def parse(words: str | None, now: datetime) -> datetime:
    """Return the moment that `words` name, in UTC; `now` for None. Raises UsageError ("bad-time").

    A moment without a zone counts as UTC.
    """
    if words is None:
        return now
    try:
        moment = datetime.fromisoformat(words)
    except ValueError as exc:
        raise UsageError(
            f"{words!r} is not a time",
            code="bad-time",
            hint="write it as 2013-02-01T00:00:00Z",
        ) from exc
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
