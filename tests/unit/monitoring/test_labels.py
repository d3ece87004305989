"""Predictions find their labels: numbers as they are, classes as their position."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_cli.monitoring import window
from mlops_cli.pipeline.model.data import Label, Source

AT = datetime(2013, 1, 2, tzinfo=UTC)


def test_a_class_is_told_by_its_position_and_one_nobody_knows_is_left_out(tmp_path: Path) -> None:
    known = pa.array([AT, AT, AT, None], pa.timestamp("us", "UTC"))
    labels = pa.table({"id": [1, 2, 3, 4], "sky": ["fog", "sun", "hail", "sun"], "known": known})
    pq.write_table(labels, tmp_path / "sky.parquet")
    rows = pa.table(
        {"request_id": ["1", "2", "3", "4"], "score": [[0.7, 0.3], [0.2, 0.8], [0.5, 0.5], [1, 0]]}
    )
    source = Source("sky.parquet", key=("id",), label=Label("sky", "known"))
    label, score = window.labelled(tmp_path, source, rows, at=AT, classes=("fog", "sun"))
    assert label.tolist() == [0, 1]
    assert np.array_equal(score, [[0.7, 0.3], [0.2, 0.8]])
