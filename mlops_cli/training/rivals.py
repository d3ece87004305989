"""Challenger and champion on the same rows: those that the challenger was tested on."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mlops_cli import encode
from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.registry.version import Version
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.training import bundle as bundles
from mlops_cli.training import dataset, paired, score

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_cli.training.metrics import Array


def test_rows(cache: Cache, version: Version) -> tuple[pa.Table, Array, Digest]:
    """Return the rows `version` was tested on, their labels, and their digest.

    Raises NotFound ("missing-object") where the dataset is not in the cache.
    """
    import pyarrow.parquet as pq

    folder = bundles.opened(cache, Digest.parse(version.payload["dataset"]))
    facts = encode.parse_json(folder.read("dataset.json"), source="dataset.json")
    table = pq.read_table(io.BytesIO(folder.read("test.parquet")))
    return table, dataset.labels(table, facts), folder.digest("test.parquet")


def compare(
    cache: Cache, challenger: Version, champion: Version, *, metric: str, margin: float = 0.0
) -> tuple[paired.Comparison, Digest]:
    """Return the evidence that `challenger` beats `champion`, and the digest of the rows.

    Both are scored here and now, each by its own model.onnx out of the cache.
    Raises StateRefused ("not-comparable") when the rows lack a column of the champion.
    """
    table, truth, rows = test_rows(cache, challenger)
    try:
        scores = [score.score(cache.read(each.digest), table) for each in (challenger, champion)]
    except NotFound as exc:
        if exc.code != "column-missing":
            raise
        raise StateRefused(
            f"{challenger.name} and {champion.name} cannot be compared: {exc.message}",
            code="not-comparable",
            hint="keep the columns of the champion in the dataset until it is replaced",
        ) from exc
    if scores[0].shape != scores[1].shape:
        raise StateRefused(
            f"{challenger.name} and {champion.name} cannot be compared: their classes differ",
            code="not-comparable",
            hint="register the model under another name; it answers another question",
        )
    return paired.compare(truth, *scores, metric=metric, margin=margin), rows
