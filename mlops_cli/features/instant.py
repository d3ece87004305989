"""Instants as microseconds since 1970 in UTC: exact, sortable, and the same in every engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlops_cli.errors import StepFailed

if TYPE_CHECKING:
    import pyarrow as pa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return a column of timestamps or dates as int64 microseconds; null stays null.

    A timestamp without a zone counts as UTC. Raises StepFailed ("wrong-type").
    """
    import pyarrow as pa

    if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
        raise StepFailed(
            f"the time column {name!r} holds {column.type}, not timestamps",
            code="wrong-type",
            hint=f"store {name!r} as a timestamp in UTC, or name another column as time",
            details={"column": name, "found": str(column.type), "expected": "timestamp"},
        )
    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    return column.cast(pa.timestamp("us", tz=zone), safe=False).cast(pa.int64())


def span(over: timedelta) -> int:
    """Return a duration in microseconds."""
    return over // timedelta(microseconds=1)


def of(moment: datetime) -> int:
    """Return an instant in microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(value: int) -> datetime:
    """Return the instant `value` microseconds after 1970."""
    return EPOCH + timedelta(microseconds=value)


def iso(value: int | None) -> str | None:
    """Return an instant as people read it: 2013-01-31T23:59:00Z."""
    if value is None:
        return None
    try:
        return moment(value).isoformat().replace("+00:00", "Z")
    except OverflowError:  # broken clocks exist; a report about them shall not break
        return "after the year 9999" if value > 0 else "before the year 1"
