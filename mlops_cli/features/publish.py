"""From the rows of a built view to what every entity has at one instant, in the online store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import StateRefused, StepFailed
from mlops_cli.features import instant, lookup, offline, read, totals, view
from mlops_cli.features.online import About, Layout, OnlineStore, Row, Snapshot
from mlops_cli.pipeline.model.data import FeatureView
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.running import execute

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 1 << 16  # rows turned into Python values at once
MOMENT = "\0at"


@dataclass(frozen=True, slots=True)
class Materialized:
    """What became of one view: `written` and `removed` count entities that changed."""

    view: str
    version: str
    as_of: datetime
    former: About | None
    entities: int
    written: int
    removed: int


def versions(parts: execute.RunParts, pipeline: Pipeline, names: Sequence[str]) -> dict[str, str]:
    """Return the digest of what each view was built into.

    Raises StateRefused ("stale-features") where a run would build one anew.
    """
    wanted = {f"feature.{name}": name for name in names}
    found = execute.prospect(parts, pipeline, list(wanted))
    for item in found.plan.items:
        if item.stale and item.step.name in wanted:
            why = item.because[0].sentence() if item.because else "it is stale"
            raise StateRefused(
                f"features.{wanted[item.step.name]} is not up to date: {why.rstrip('.')}",
                code="stale-features",
                hint=f"mlops run {item.step.name}",
                details={"because": [reason.sentence() for reason in item.because]},
            )
    return {
        name: found.locks[step].outputs[f"out/features/{name}"].digest
        for step, name in wanted.items()
    }


def materialize(
    name: str,
    spec: FeatureView,
    *,
    root: Path,
    store: OnlineStore,
    at: datetime,
    version: str,
    back: bool = False,
) -> Materialized:
    """Make `store` hold what the view `name`, built as `version`, knew at `at`.

    The same again does nothing. Raises StateRefused ("not-built", "watermark-ahead"), StepFailed
    ("entity-type").
    """
    moment = instant.of(at)
    former = store.about(name)
    if former and (former.source, former.as_of) == (version, moment):
        return Materialized(name, version, at, former, former.entities, 0, 0)
    values = read.table(lookup.values_path(root, name).parent, "values.parquet")
    done = store.publish(snapshot(name, spec, values, at=moment, source=version), back=back)
    return Materialized(name, version, at, former, done.entities, done.written, done.removed)


def snapshot(name: str, spec: FeatureView, values: pa.Table, *, at: int, source: str) -> Snapshot:
    """Return what `values`, the rows of the view, say of every entity at `at` (microseconds)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    layout = Layout(_kinds(name, spec, values), view.columns(name, spec))
    moments = instant.micros(values.column(spec.time), spec.time)
    newest = totals.latest(values.filter(pc.less_equal(moments, at)), spec.entity)
    if spec.windows:
        keys = newest.select(list(spec.entity))
        now = pa.array([at] * keys.num_rows, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
        keys = keys.append_column(MOMENT, now)
        newest = offline.join(keys, time=MOMENT, views=[(name, spec, values)])
        blank = tuple(0 if item.figure == "count" else None for item in view.statistics(name, spec))
    else:
        blank = (None,) * len(spec.fields)
    return Snapshot(name, layout, at, source, blank, _rows(newest, spec, list(layout.columns)))


def _rows(newest: pa.Table, spec: FeatureView, columns: list[str]) -> Iterator[Row]:
    for start in range(0, newest.num_rows, BATCH):
        part = newest.slice(start, BATCH)
        entities = zip(*(part.column(name).to_pylist() for name in spec.entity), strict=True)
        values = zip(*(part.column(name).to_pylist() for name in columns), strict=True)
        times: list[int | None] = [None] * part.num_rows
        if not spec.windows:
            times = instant.micros(part.column(spec.time), spec.time).to_pylist()
        yield from zip(entities, times, values, strict=True)


def _kinds(name: str, spec: FeatureView, values: pa.Table) -> dict[str, str]:
    """Return entity column → string | int | bool. Raises StepFailed ("entity-type")."""
    import pyarrow as pa

    found: dict[str, str] = {}
    for column in spec.entity:
        kind: Any = values.schema.field(column).type
        if pa.types.is_string(kind) or (pa.types.is_null(kind) and not values.num_rows):
            found[column] = "string"
        elif pa.types.is_boolean(kind):
            found[column] = "bool"
        elif pa.types.is_integer(kind):
            found[column] = "int"
        else:
            raise StepFailed(
                f"features.{name}: the entity {column!r} holds {kind}, by which no online store "
                "looks anything up",
                code="entity-type",
                hint="identify entities by text, whole numbers or truth values",
                details={"view": name, "column": column, "found": str(kind)},
            )
    return found
