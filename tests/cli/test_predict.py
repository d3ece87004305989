"""`mlops predict`: the server and the file agree row by row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import serving_world
from serving_world import ROW, World, deployment, expected, rows

from mlops_cli.serving import deploy
from mlops_cli.serving.targets.local import LocalTarget


@pytest.fixture
def world(repo: Path) -> Iterator[World]:
    made = serving_world.make_world(repo)
    made.promote(made.register(0.0))
    yield made
    LocalTarget(repo).stop("prod", wait=20)


def test_the_server_and_a_batch_agree_row_by_row(
    world: World, mlops: Callable[..., Any], assert_valid: Callable[[Any], None]
) -> None:
    deploy.apply(world.parts, "prod", deployment())
    table = rows(40, seed=11)
    pq.write_table(table.append_column("key", pa.array(range(40))), world.root / "in.parquet")
    batch = mlops("predict", "batch", "in.parquet", "-o", "out.parquet", "--model",
                  "delay@production", "--json", code=0)  # fmt: skip
    assert_valid(batch.json)
    assert (batch.data["rows"], batch.data["version"]) == (40, 1)
    words = [word for row in table.to_pylist() for word in ("--row-json", json.dumps(row))]
    online = mlops("predict", "prod", *words, "--json", code=0)
    assert_valid(online.json)
    written = pq.read_table(world.root / "out.parquet")
    offline = written["probability"].to_numpy()
    assert np.array_equal(np.array(online.data["predictions"], "float32"), offline)
    assert np.array_equal(offline, expected(table))
    assert written["key"].to_pylist() == list(range(40))
    assert written.schema.metadata[b"mlops.version"] == b"1"


def test_a_row_in_words_is_read_by_the_types_of_the_model(
    world: World, mlops: Callable[..., Any]
) -> None:
    deploy.apply(world.parts, "prod", deployment())
    wind = {**ROW, "wind": None}
    words = ("--row", "distance=1.5,wind=,carrier=UA,stops=1", "--row-json", json.dumps(wind))
    first, second = mlops("predict", "prod", *words, "--json", code=0).data["predictions"]
    assert first == second
    shown = mlops("predict", "prod", *words[:2], code=0).stdout
    assert "delay v1 at http://127.0.0.1:" in shown
    bad = mlops("predict", "prod", "--row", "distance=far,wind=,carrier=UA,stops=1", "--json")
    assert (bad.code, bad.error["code"]) == (2, "bad-row")
    unknown = mlops("predict", "prod", "--row", "distanse=1", "--json", code=30)
    assert "unknown input 'distanse'" in unknown.error["message"]


@pytest.mark.parametrize(
    ("table", "code", "error"),
    [
        ({"distance": [1.0]}, 20, "column-missing"),
        ({"distance": ["x"], "wind": [1.0], "carrier": ["x"], "stops": [1]}, 30, "column-type"),
        ({"distance": [None], "wind": [1.0], "carrier": ["x"], "stops": [1]}, 30, "null-input"),
        ({"distance": [1.0], "wind": [1.0], "carrier": ["x"], "stops": [1],
          "probability": [1.0]}, 30, "column-exists"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused_and_nothing_is_written(
    world: World, mlops: Callable[..., Any], table: dict[str, Any], code: int, error: str
) -> None:
    pq.write_table(pa.table(table), world.root / "in.parquet")
    words = ("predict", "batch", "in.parquet", "-o", "out.parquet", "--model", "delay", "--json")
    assert mlops(*words, code=code).error["code"] == error
    left = {path.name for path in world.root.iterdir()}
    assert left == {".git", ".gitignore", ".mlops", "in.parquet"}


def test_a_file_that_is_no_parquet_is_refused(world: World, mlops: Callable[..., Any]) -> None:
    (world.root / "in.parquet").write_text("a,b\n")
    words = ("predict", "batch", "in.parquet", "-o", "out.parquet", "--model", "delay", "--json")
    assert mlops(*words, code=10).error["code"] == "not-parquet"
    (world.root / "in.parquet").unlink()
    assert mlops(*words, code=20).error["code"] == "file-missing"
