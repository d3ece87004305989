"""Step 19, validation before training: data that breaks its contract costs no training."""

from __future__ import annotations

from typing import Any


def test_bad_data_stops_the_pipeline_and_the_training_never_starts(project: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = project.root / "data/flights/2013-06.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index("carrier")
    empty = pa.nulls(table.num_rows, table.schema.field(at).type)
    pq.write_table(table.set_column(at, "carrier", empty), path)
    model = (project.root / "out/delay/model/model.onnx").read_bytes()

    refused = project.mlops("run", code=60)

    assert refused["code"] == "contract-broken" and "carrier" in refused["message"]
    newest = project.mlops("runs", "show", "latest")["steps"]
    assert {s["step"]: s["status"] for s in newest if s["status"] != "done"} == {
        "data.flights": "failed"
    }
    assert not {"dataset.delay", "train.delay"} & {step["step"] for step in newest}
    assert (project.root / "out/delay/model/model.onnx").read_bytes() == model
