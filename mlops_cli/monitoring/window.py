"""What was served in a stretch of time, and what became known of it since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError
from mlops_cli.features import read
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import timestamp
from mlops_cli.pipeline.model.data import Source
from mlops_cli.serving import predlog
from mlops_cli.store.cache import Cache

if TYPE_CHECKING:
    import pyarrow as pa

JOINER = "|"  # between the parts of a key of several columns in a request id


@dataclass(frozen=True, slots=True)
class Served:
    """Answers of one model in a window; `rows` as in docs/formats/prediction-log.md."""

    rows: pa.Table
    model: str | None  # digest of the model that gave most of the answers
    others: int  # answers of other models in the window, left out
    segments: tuple[str, ...]
    records: tuple[str, ...]  # the ledger records that name the segments


def served(index: Index, cache: Cache, environment: str, start: datetime, end: datetime) -> Served:
    """Return what the champion of `environment` answered to rows with a time in [start, end)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    first, last = timestamp(start), timestamp(end)
    found = [
        record
        for record in index.newest("predictions")
        if record["deployment"] == environment
        and str(record["start"]) < last
        and str(record["end"]) >= first
    ]
    found.reverse()
    segments = tuple(str(record["segment"]) for record in found)
    rows = predlog.read(cache, segments)
    if not rows.num_rows:
        return Served(rows, None, 0, segments, tuple(record.digest for record in found))
    kind = rows.schema.field("time").type
    inside = pc.and_(
        pc.greater_equal(rows["time"], pa.scalar(start, kind)),
        pc.less(rows["time"], pa.scalar(end, kind)),
    )
    rows = rows.filter(pc.and_(inside, pc.equal(rows["variant"], "champion")))
    models = Counter(rows["model"].to_pylist())
    if not models:
        return Served(rows, None, 0, segments, tuple(record.digest for record in found))
    model, count = models.most_common(1)[0]
    return Served(
        rows.filter(pc.equal(rows["model"], model)),
        model,
        rows.num_rows - count,
        segments,
        tuple(record.digest for record in found),
    )


def labelled(
    root: Path, source: Source, rows: pa.Table, *, at: datetime, classes: Sequence[Any] = ()
) -> tuple[Any, Any]:
    """Return label and score, float64 [n], of those `rows` whose label was known by `at`.

    With `classes` a label is its position there, a score [n, classes]; a class that the model
    does not know has none. A prediction finds its label by request id = key of the source (parts
    joined by "|"). Of several predictions for one key the last one counts.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if source.label is None or not source.key:
        raise ConfigError(
            "labels need a source with a key and a label",
            code="label-undeclared",
            hint="write data.NAME.key and data.NAME.label in pipeline.yaml",
        )
    known_at = source.label.known_at
    wanted = [*source.key, source.label.column, *([known_at] if known_at else [])]
    table = read.table(root, source.path, list(dict.fromkeys(wanted)))
    keep = pc.is_valid(table[source.label.column])
    if known_at:
        moment = pa.scalar(at, table.schema.field(known_at).type)
        keep = pc.and_(keep, pc.fill_null(pc.less_equal(table[known_at], moment), False))
    table = table.filter(keep)
    label = table[source.label.column]
    if classes:
        label = pc.index_in(label, pa.array(classes).cast(label.type))
        table, label = table.filter(pc.is_valid(label)), label.drop_null()
    truth = dict(zip(request_ids(source, table), label.cast(pa.float64()).to_pylist(), strict=True))
    scores = dict(zip(rows["request_id"].to_pylist(), rows["score"].to_pylist(), strict=True))
    both = [name for name in scores if name in truth]
    return (
        np.array([truth[name] for name in both], dtype=float),
        np.array([scores[name] for name in both], dtype=float),
    )


def as_learnt(rows: pa.Table, inputs: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return logged inputs in the types that training saw: a model takes truth as 0 and 1."""
    import pyarrow as pa

    for column in inputs:
        at = rows.schema.get_field_index(str(column["name"]))
        if at >= 0 and column.get("kind") == "bool":
            rows = rows.set_column(at, str(column["name"]), rows.column(at).cast(pa.bool_()))
    return rows


def request_ids(source: Source, table: pa.Table) -> list[str]:
    """Return the request id under which each row of `table` is predicted: its key as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = [table[name].cast(pa.string()) for name in source.key]
    joined = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, JOINER)
    names: list[str] = joined.to_pylist()
    return names
