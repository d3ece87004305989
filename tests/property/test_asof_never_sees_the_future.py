"""The point-in-time join against a reference that looks at every row, slowly and obviously."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_cli.features import offline, totals, view
from mlops_cli.pipeline.model.data import FeatureView, Window

START = datetime(2013, 1, 1, tzinfo=UTC)
INSTANT = pa.timestamp("us", tz="UTC")
HOURS = st.integers(0, 30)  # few instants, so that ties and exact borders happen all the time
ENTITIES = st.sampled_from(["a", "b", None])
PAIRS = st.tuples(ENTITIES, st.sampled_from([1, 2, None]))
Row = tuple[Any, ...]


def at(hour: int | None) -> datetime | None:
    return None if hour is None else START + timedelta(hours=hour)


def table(rows: list[Row], value: pa.DataType) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return pa.table(
        {
            "one": pa.array(columns[0], pa.string()),
            "two": pa.array(columns[1], pa.int32()),
            "seen": pa.array([at(hour) for hour in columns[2]], INSTANT),
            "x": pa.array(columns[3], value),
        }
    )


def spine_of(rows: list[Row]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return pa.table(
        {
            "id": pa.array(range(len(rows)), pa.int64()),
            "one": pa.array(columns[0], pa.string()),
            "two": pa.array(columns[1], pa.int64()),
            "when": pa.array([at(hour) for hour in columns[2]], INSTANT),
        }
    )


def ordered(history: list[Row], value: pa.DataType) -> pa.Table:
    whole = [row for row in history if None not in row[:3]]
    return totals.ordered(table(whole, value), ["one", "two"], "seen")


SPINE = st.lists(st.builds(lambda e, t: (*e, t), PAIRS, st.none() | HOURS), max_size=12)


def history(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Row]]:
    return st.lists(st.builds(lambda e, t, x: (*e, t, x), PAIRS, HOURS, values), max_size=25)


@settings(max_examples=60, deadline=None)
@given(SPINE, history(st.none() | st.integers(-5, 5)), st.none() | st.integers(0, 10))
def test_a_row_gets_the_newest_value_that_was_known_and_fresh(
    spine: list[Row], past: list[Row], ttl: int | None
) -> None:
    spec = FeatureView(
        ("one", "two"),
        "data.past",
        "seen",
        ttl=None if ttl is None else f"{ttl}h",
        fields={"x": "int"},
    )
    values = totals.newest(ordered(past, pa.int64()), ["one", "two"], "seen")
    joined = offline.join(spine_of(spine), time="when", views=[("past", spec, values)])

    def expected(row: Row) -> int | None:
        one, two, now = row
        if None in row:
            return None
        # of rows at one instant the last in the order of the source counts
        visible = [
            (hour, place, x)
            for place, (*entity, hour, x) in enumerate(past)
            if entity == [one, two] and hour <= now
        ]
        if not visible:
            return None
        hour, _, x = max(visible, key=lambda item: item[:2])
        return x if ttl is None or now - hour <= ttl else None

    assert joined.column("x").to_pylist() == [expected(row) for row in spine]
    assert joined.drop_columns(["x"]).equals(spine_of(spine))


NUMBERS = st.none() | st.just(math.nan) | st.floats(-1e6, 1e6)


@settings(max_examples=60, deadline=None)
@given(SPINE, history(NUMBERS))
def test_a_window_holds_exactly_the_rows_known_within_it(spine: list[Row], past: list[Row]) -> None:
    overs = (3, 24)
    spec = FeatureView(
        ("one", "two"),
        "data.past",
        "seen",
        windows={
            "mean": Window(tuple(f"{over}h" for over in overs), mean="x"),
            "sum": Window(("24h",), sum="x"),
            "count": Window(("24h",), count="x"),
        },
    )
    values = totals.running(
        ordered(past, pa.float64()), ["one", "two"], "seen", view.totals(spec), name="past"
    )
    joined = offline.join(spine_of(spine), time="when", views=[("past", spec, values)])

    def inside(row: Row, over: int) -> list[float] | None:
        one, two, now = row
        if None in row:
            return None
        return [
            x
            for *entity, hour, x in past
            if entity == [one, two]
            and now - over < hour <= now
            and x is not None
            and not math.isnan(x)
        ]

    for position, row in enumerate(spine):
        for over in overs:
            found = inside(row, over)
            mean = joined.column(f"past_mean_{over}h")[position].as_py()
            close(mean, sum(found) / len(found) if found else None)
        found = inside(row, 24)
        close(joined.column("past_sum_24h")[position].as_py(), sum(found) if found else None)
        count = joined.column("past_count_24h")[position].as_py()
        assert count == (None if found is None else len(found))


@settings(max_examples=40, deadline=None)
@given(SPINE, history(st.integers(-3, 3)), HOURS)
def test_what_happens_later_changes_no_earlier_row(
    spine: list[Row], past: list[Row], border: int
) -> None:
    spec = FeatureView(
        ("one", "two"), "data.past", "seen", windows={"m": Window(("5h", "24h"), mean="x")}
    )

    def joined(rows: list[Row]) -> pa.Table:
        before = [row for row in spine if row[2] is not None and row[2] <= border]
        values = totals.running(
            ordered(rows, pa.int64()), ["one", "two"], "seen", view.totals(spec), name="past"
        )
        return offline.join(spine_of(before), time="when", views=[("past", spec, values)])

    assert joined(past).equals(joined([row for row in past if row[2] <= border]))


def close(found: float | None, expected: float | None) -> None:
    if expected is None:
        assert found is None
    else:
        assert found is not None and math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-6)
