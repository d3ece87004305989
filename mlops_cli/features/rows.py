"""Which datasets hold a row: on which side, and how often."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

from mlops_cli.features.split import SIDES
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import parse_tree


def holding(
    cache: Cache, dataset: str, columns: Sequence[str], values: Sequence[str], *, source: str | None
) -> dict[str, int]:
    """Return side → rows of the dataset (digest of its folder) that have these values, as text.

    Sides without such a row are left out; with `source`, a dataset of another spine has none.
    Raises NotFound ("missing-object"), IntegrityError.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    tree = parse_tree(cache.read(Digest.parse(dataset)))
    files = {entry.name: entry.digest for entry in tree}
    facts: dict[str, Any] = json.loads(cache.read(files["dataset.json"]))
    if source is not None and facts.get("source", {}).get("path") != source:
        return {}
    found: dict[str, int] = {}
    for side in SIDES:
        name = f"{side}.parquet"
        if name not in files:
            continue
        data = io.BytesIO(cache.read(files[name]))
        if not set(columns) <= set(pq.read_schema(data).names):
            continue
        data.seek(0)
        table = pq.read_table(data, columns=list(columns))
        same = [
            pc.equal(table[column].cast(pa.string()), value)
            for column, value in zip(columns, values, strict=True)
        ]
        both = same[0]
        for each in same[1:]:
            both = pc.and_(both, each)
        if count := pc.sum(both).as_py():
            found[side] = int(count)
    return found
