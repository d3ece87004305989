"""C8, model serving: one package answers over HTTP and fills a table, and both agree.

Missing: a function handler for serverless, manifests for Kubernetes; `tests/unit/serving` covers
shadows and canaries.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROWS = 200


def test_http_and_batch_agree_row_by_row(served: Any, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    project = served.project
    model = project.mlops("models", "show", "delay@production")["payload"]
    names = [column["name"] for column in model["inputs"]]
    table = pq.read_table(project.root / "out/delay/dataset/test.parquet").slice(0, ROWS)
    pq.write_table(table, tmp_path / "in.parquet")
    words = ("predict", "batch", str(tmp_path / "in.parquet"), "-o", str(tmp_path / "out.parquet"))
    told = project.mlops(*words, "--model", "delay@production")
    (column,) = told["columns"]
    batch = pq.read_table(tmp_path / "out.parquet").column(column).to_pylist()

    status, answer = served.ask("/predict", {"rows": table.select(names).to_pylist()})

    assert status == 200 and answer["version"] == told["version"] == model["version"]
    assert len(batch) == len(answer["predictions"]) == ROWS
    for one, other in zip(batch, answer["predictions"], strict=True):
        value = other["probability"] if isinstance(other, dict) else other
        assert abs(one - value) < 1e-6
    assert len(set(batch)) > ROWS / 2 and isinstance(table, pa.Table)


def test_a_challenger_listens_to_all_and_answers_nobody(project: Any) -> None:
    project.edit(
        "pipeline.yaml",
        "    model: delay@production               # follows the alias: a promotion switches the "
        "running server\n",
        "    model: delay@production\n    challengers: [{model: delay@v1, mode: shadow}]\n",
    )
    applied = project.mlops("deploy", "apply", "prod")
    told = project.mlops("deploy", "status", "prod")["environments"][0]
    assert told["served_version"] == applied["version"] != 1
    assert "delay v1" in project.said("deploy", "status", "prod") or told["challengers"]
