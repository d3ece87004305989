"""The data that ships with the template flights, and the features made from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mlops_cli.features import check, materialize, offline, read
from mlops_cli.pipeline.model.data import ColumnCheck, FeatureView, Source, Window

TEMPLATE = Path(__file__).parents[3] / "templates" / "flights"
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def flights() -> pa.Table:
    return read.table(TEMPLATE, "data/flights")


@pytest.fixture(scope="module")
def weather() -> pa.Table:
    return read.table(TEMPLATE, "data/weather")


def test_every_flight_and_report_of_2013_is_there_once(
    flights: pa.Table, weather: pa.Table
) -> None:
    assert (flights.num_rows, weather.num_rows) == (336_776, 26_115)
    assert check.unique("flight_id", [flights.column("flight_id")]).passed
    assert check.unique(
        "report", [weather.column(name) for name in ("origin", "observed_at")]
    ).passed


def test_the_data_is_small_enough_to_ship() -> None:
    size = sum(file.stat().st_size for file in TEMPLATE.rglob("*.parquet"))
    assert size < 4 << 20


def test_a_month_is_a_month_of_local_departures(flights: pa.Table) -> None:
    march = read.table(TEMPLATE, "data/flights/2013-03.parquet")
    local = [instant.astimezone(NEW_YORK) for instant in march["scheduled_departure"].to_pylist()]
    assert {instant.month for instant in local} == {3}
    assert [instant.hour for instant in local] == march["scheduled_hour"].to_pylist()
    assert [instant.isoweekday() for instant in local] == march["day_of_week"].to_pylist()
    # the clocks went forward on 10 March: 6 o'clock is 11:00 UTC before and 10:00 UTC after
    assert {instant.utcoffset() for instant in local} == {timedelta(hours=-5), timedelta(hours=-4)}


def test_the_label_is_known_exactly_where_it_is_dated(flights: pa.Table) -> None:
    known = flights.filter(pc.is_valid(flights["late"]))
    assert known.num_rows == 327_346
    assert pc.sum(known["late"]).as_py() == 77_630
    assert known["landed_at"].null_count == 0
    airborne = pc.subtract(known["landed_at"], known["departed_at"]).cast(pa.int64())
    assert pc.min(airborne).as_py() >= timedelta(minutes=20) / timedelta(microseconds=1)
    assert pc.max(airborne).as_py() < timedelta(hours=13) / timedelta(microseconds=1)


def test_the_first_flight_of_the_year_left_and_landed_when_it_did(flights: pa.Table) -> None:
    # UA 1545 to Houston: left at 5:17, two minutes late; landed at 8:30 local time, 11 late
    first = flights.filter(pc.equal(flights["flight"], 1545)).slice(0, 1).to_pylist()[0]
    assert first["scheduled_departure"] == datetime(2013, 1, 1, 10, 15, tzinfo=UTC)
    assert first["departed_at"] == datetime(2013, 1, 1, 10, 17, tzinfo=UTC)
    assert first["landed_at"] == datetime(2013, 1, 1, 14, 30, tzinfo=UTC)
    assert (first["origin"], first["dest"], first["late"]) == ("EWR", "IAH", 0)


def test_the_broken_report_of_12_february_goes_into_quarantine() -> None:
    view = FeatureView(
        ("origin",),
        "data.weather",
        "observed_at",
        transform="src/features.py:weather",
        fields={"wind_speed": "float", "temperature": "float", "low_visibility": "bool"},
        checks={"wind_speed": ColumnCheck(max=250)},
        on_fail="quarantine",
    )
    built = materialize.build("weather_at_origin", view, Source("data/weather"), root=TEMPLATE)
    assert built.quarantine is not None and built.quarantine.num_rows == 1
    (row,) = built.quarantine.to_pylist()
    assert (row["origin"], row["observed_at"].date().isoformat()) == ("EWR", "2013-02-12")
    assert built.values.num_rows == 26_114
    assert pc.max(built.values["temperature"]).as_py() == pytest.approx(37.8, abs=0.1)


def test_history_of_a_real_week_counts_only_what_had_landed(flights: pa.Table) -> None:
    view = FeatureView(
        ("carrier", "origin"),
        "data.flights",
        "landed_at",
        windows={"late_rate": Window(("7d",), mean="late"), "n": Window(("7d",), count="late")},
    )
    values = materialize.build("history", view, Source("data/flights"), root=TEMPLATE).values
    spine = flights.slice(150_000, 2_000)
    found = offline.join(spine, time="scheduled_departure", views=[("history", view, values)])
    for position in (0, 777, 1_999):
        row = found.slice(position, 1).to_pylist()[0]
        now = row["scheduled_departure"]
        inside = pc.and_(
            pc.and_(
                pc.equal(flights["carrier"], row["carrier"]),
                pc.equal(flights["origin"], row["origin"]),
            ),
            pc.and_(
                pc.greater(flights["landed_at"], now - timedelta(days=7)),
                pc.less_equal(flights["landed_at"], now),
            ),
        )
        late = flights.filter(inside)["late"].drop_null()
        assert row["history_n_7d"] == len(late) > 0
        assert row["history_late_rate_7d"] == pytest.approx(pc.mean(late).as_py())
