"""Step 5, sources and first analysis: a profile of every column; a label must be there.

Missing: the profile as a page with pictures.
"""

from __future__ import annotations

import json
from typing import Any


def test_the_profile_tells_of_every_column_and_is_an_artefact_with_a_digest(demo: Any) -> None:
    profile = demo.mlops("feature", "profile", "data/weather")
    assert profile["rows"] > 10_000
    temperature = profile["columns"]["temp"]
    assert temperature["min"] < temperature["mean"] < temperature["max"]
    assert set(profile["columns"]["origin"]["values"]) == {"EWR", "JFK", "LGA"}
    kept = json.loads((demo.root / "out/delay/dataset/profile.json").read_text())
    assert kept["schema"] == profile["schema"]
    assert demo.lock("dataset.delay")["outputs"]["out/delay/dataset"]["digest"]


def test_data_without_its_label_is_refused_before_anything_is_trained(
    trained_project: Any,
) -> None:
    import pyarrow.parquet as pq

    path = trained_project.root / "data/days.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["late"]), path)
    refused = trained_project.mlops("train", code=60)
    assert refused["code"] == "label-missing" and "late" in refused["message"]


def test_a_training_without_a_declared_label_is_refused(trained_project: Any) -> None:
    trained_project.edit("pipeline.yaml", "    label: {column: late, known_at: known}\n", "")
    assert trained_project.mlops("train", code=10)["code"] == "label-missing"
