"""The point-in-time join at its borders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlops_cli.errors import StepFailed
from mlops_cli.features import offline, write
from mlops_cli.pipeline.model.data import FeatureView, Window

START = datetime(2013, 1, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


WEATHER = FeatureView(("origin",), "data.w", "seen", ttl="3h", fields={"t": "float"})
VALUES = pa.table({"origin": ["a", "a"], "seen": [at(1), at(10)], "t": [1.0, 10.0]})


def joined(spine: dict[str, Any], *views: Any) -> list[dict[str, Any]]:
    given = views or (("weather", WEATHER, VALUES),)
    return offline.join(pa.table(spine), time="when", views=given).to_pylist()


def test_known_at_that_very_instant_is_known_and_the_ttl_includes_its_end() -> None:
    instants = [at(1) - timedelta(microseconds=1), at(1), at(4), at(4) + timedelta(microseconds=1)]
    found = joined({"origin": ["a"] * 4, "when": instants})
    assert [row["t"] for row in found] == [None, 1.0, 1.0, None]


def test_rows_and_their_order_are_kept_also_when_they_repeat() -> None:
    spine = {"origin": ["b", "a", "a", None, "a"], "when": [at(2), at(11), at(2), at(2), at(11)]}
    found = joined(spine | {"id": [5, 4, 3, 2, 1]})
    assert [row["id"] for row in found] == [5, 4, 3, 2, 1]
    assert [row["t"] for row in found] == [None, 10.0, 1.0, None, 10.0]


def test_values_come_from_a_file_as_well(tmp_path: Path) -> None:
    write.parquet(VALUES, tmp_path / "values.parquet")
    view = ("weather", WEATHER, tmp_path / "values.parquet")
    assert joined({"origin": ["a"], "when": [at(2)]}, view)[0]["t"] == 1.0


def test_names_that_the_join_uses_itself_do_no_harm() -> None:
    spec = FeatureView(("n",), "data.w", "t", fields={"e0": "float", "p0": "float"})
    values = pa.table({"n": ["a"], "t": [at(1)], "e0": [1.0], "p0": [2.0]})
    found = joined({"n": ["a"], "when": [at(2)], "s": [0], "r": [0]}, ("v", spec, values))
    assert (found[0]["e0"], found[0]["p0"]) == (1.0, 2.0)


def test_two_views_stand_side_by_side_and_integers_of_any_width_meet() -> None:
    counts = FeatureView(("gate",), "data.g", "seen", windows={"n": Window(("2h",), count="x")})
    values = pa.table(
        {"gate": pa.array([7], pa.int64()), "seen": [at(1)], "x.count": pa.array([4], pa.int64())}
    )
    spine = {"origin": ["a"] * 2, "gate": pa.array([7, 8], pa.int16()), "when": [at(2)] * 2}
    found = joined(spine, ("weather", WEATHER, VALUES), ("gates", counts, values))
    # an entity that nobody has seen has no rows: that is a count of 0
    assert [(row["t"], row["gates_n_2h"]) for row in found] == [(1.0, 4), (1.0, 0)]


def test_hashes_as_entities_meet_beyond_the_range_of_signed_integers() -> None:
    big = pa.array([2**64 - 1, 5], pa.uint64())
    spec = FeatureView(("h",), "data.h", "seen", fields={"x": "int"})
    values = pa.table({"h": big, "seen": [at(1)] * 2, "x": [1, 2]})
    found = joined({"h": big, "when": [at(2)] * 2}, ("v", spec, values))
    assert [row["x"] for row in found] == [1, 2]


def test_empty_views_and_empty_spines_keep_the_columns() -> None:
    spine = {"origin": ["a"], "when": [at(2)]}
    assert joined(spine, ("weather", WEATHER, VALUES.slice(0, 0)))[0]["t"] is None
    empty = pa.table(spine).slice(0, 0)
    found = offline.join(empty, time="when", views=[("weather", WEATHER, VALUES)])
    assert found.num_rows == 0 and found.column_names == ["origin", "when", "t"]
    unknown = {"origin": pa.nulls(1), "when": [at(2)]}
    assert joined(unknown)[0]["t"] is None


@pytest.mark.parametrize(
    ("spine", "code"),
    [
        ({"when": [at(2)]}, "column-missing"),
        ({"origin": ["a"]}, "column-missing"),
        ({"origin": [1], "when": [at(2)]}, "entity-type"),
        ({"origin": ["a"], "when": ["noon"]}, "wrong-type"),
        ({"origin": ["a"], "when": [at(2)], "t": [0.0]}, "column-twice"),
    ],
)
def test_what_cannot_be_joined_is_refused(spine: dict[str, Any], code: str) -> None:
    with pytest.raises(StepFailed) as caught:
        joined(spine)
    assert caught.value.code == code


def test_the_number_of_threads_changes_nothing() -> None:
    rows = 20_000
    spine = pa.table(
        {
            "origin": [f"o{number % 13}" for number in range(rows)],
            "when": [at(number * 31 % 997) for number in range(rows)],
        }
    )
    moments = sorted({(f"o{number % 13}", at(number % 701)) for number in range(rows)})
    values = pa.table(
        {
            "origin": [origin for origin, _ in moments],
            "seen": [moment for _, moment in moments],
            "t": [number * 0.1 for number in range(len(moments))],
        }
    )
    views = [("weather", WEATHER, values)]
    one, four = (
        offline.join(spine, time="when", views=views, threads=threads) for threads in (1, 4)
    )
    assert one.equals(four)
    assert one.select(["origin", "when"]).equals(spine)
