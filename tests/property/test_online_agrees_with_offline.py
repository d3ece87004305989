"""What the online store says after a publication at T is what the point-in-time join says at T."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_cli.features import instant, offline, publish, totals, view
from mlops_cli.features.sqlite import SqliteStore
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.data import FeatureView, Window

START = datetime(2013, 1, 1, tzinfo=UTC)
INSTANT = pa.timestamp("us", tz="UTC")
HOURS = st.integers(0, 20)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", 'c"']),
        st.sampled_from([1, 2]),
        HOURS,
        st.none() | st.floats(allow_nan=False),
        st.none() | st.booleans(),
    ),
    max_size=30,
)
KEYS = [(one, two) for one in ("a", "b", 'c"', "nobody", None) for two in (1, 2, None)]
FIELDS = FeatureView(("one", "two"), "data.x", "seen", fields={"x": "float", "y": "bool"})
WINDOWS = FeatureView(
    ("one", "two"),
    "data.x",
    "seen",
    windows={
        "mean": Window(("3h", "9h"), mean="x"),
        "count": Window(("9h",), count="y"),
        "sum": Window(("3h",), sum="y"),
    },
)


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def ordered(rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * 5
    made = pa.table(
        {
            "one": pa.array(columns[0], pa.string()),
            "two": pa.array(columns[1], pa.int32()),
            "seen": pa.array([at(hour) for hour in columns[2]], INSTANT),
            "x": pa.array(columns[3], pa.float64()),
            "y": pa.array(columns[4], pa.bool_()),
        }
    )
    return totals.ordered(made, ["one", "two"], "seen")


def spine(hour: int) -> pa.Table:
    return pa.table(
        {
            "one": pa.array([one for one, _ in KEYS], pa.string()),
            "two": pa.array([two for _, two in KEYS], pa.int64()),
            "when": pa.array([at(hour)] * len(KEYS), INSTANT),
        }
    )


@pytest.mark.parametrize("spec", [FIELDS, WINDOWS], ids=["fields", "windows"])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    past=ROWS,
    instants=st.lists(st.tuples(HOURS, st.integers(0, 8)), min_size=1, max_size=3),
    ttl=st.none() | st.integers(0, 8),
)
def test_online_and_offline_agree_on_every_key(
    spec: FeatureView,
    past: list[tuple[Any, ...]],
    instants: list[tuple[int, int]],
    ttl: int | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    words = None if ttl is None or spec.windows else f"{ttl}h"
    spec = FeatureView(
        spec.entity, spec.source, spec.time, ttl=words, fields=spec.fields, windows=spec.windows
    )
    rows = ordered(past)
    if spec.windows:
        values = totals.running(rows, spec.entity, "seen", view.totals(spec), name="v")
    else:
        values = totals.newest(rows, spec.entity, "seen")
    store = SqliteStore(tmp_path_factory.mktemp("store"))
    columns = list(view.columns("v", spec))
    span = None if words is None else instant.span(duration(words))
    try:
        for hour, later in instants:  # one snapshot over the other, forwards and backwards
            moment = instant.of(at(hour))
            store.publish(publish.snapshot("v", spec, values, at=moment, source=""), back=True)
            read = store.read("v", KEYS, at=[moment] * len(KEYS), ttl=span)
            joined = offline.join(spine(hour), time="when", views=[("v", spec, values)])
            expected = zip(*(joined.column(name).to_pylist() for name in columns), strict=True)
            assert [found.values for found in read] == list(expected)
            if spec.fields and not any(hour < row[2] <= hour + later for row in past):
                # nothing new: the same snapshot answers later too, and forgets by the ttl
                moment = instant.of(at(hour + later))
                read = store.read("v", KEYS, at=[moment] * len(KEYS), ttl=span)
                joined = offline.join(spine(hour + later), time="when", views=[("v", spec, values)])
                expected = zip(*(joined.column(name).to_pylist() for name in columns), strict=True)
                assert [found.values for found in read] == list(expected)
    finally:
        store.close()
