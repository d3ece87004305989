"""C4, feature store: one definition feeds training and serving, and both say the same.

Missing: `mlops feature bench` with the time of a read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

VIEWS = ("weather_at_origin", "carrier_history", "airport_now")
AT = "2013-06-15T12:00:00Z"


def test_online_and_offline_agree_on_every_entity_as_of_one_time(
    project: Any, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pairs = [
        {"carrier": carrier, "origin": origin}
        for carrier in ("AA", "B6", "DL", "UA", "WN", "nobody")
        for origin in ("EWR", "JFK", "LGA")
    ]
    entities = tmp_path / "entities.parquet"
    pq.write_table(pa.Table.from_pylist(pairs), entities)
    project.mlops("feature", "materialize", *VIEWS, "--at", AT)

    for view in VIEWS:
        words = ("feature", "get", view, "--entities", str(entities), "--at", AT)
        offline = project.mlops(*words, "--out", str(tmp_path / f"{view}-off.parquet"))
        online = project.mlops(*words, "--online", "--out", str(tmp_path / f"{view}-on.parquet"))
        tables = [pq.read_table(tmp_path / f"{view}-{kind}.parquet") for kind in ("off", "on")]
        assert (offline["from"], online["from"]) == ("offline", "online")
        assert tables[0].num_rows == len(pairs)
        assert tables[0].to_pylist() == tables[1].to_pylist()
        values = [name for name in tables[0].column_names if name not in ("carrier", "origin")]
        assert any(tables[0][name].null_count < len(pairs) for name in values), view


def test_what_training_joined_is_what_a_reader_gets_as_of_that_flight(demo: Any) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(demo.root / "out/delay/dataset/test.parquet")
    flight = table.slice(table.num_rows // 2, 1).to_pylist()[0]
    when = flight["scheduled_departure"].isoformat()
    words = ("feature", "get", "airport_now", f"origin={flight['origin']}", "--at", when)
    (row,) = demo.mlops(*words)["rows"]
    for name, value in row["values"].items():
        held = flight[name if name.startswith("airport_now") else f"airport_now_{name}"]
        assert value is None if held is None else abs(value - held) < 1e-6
