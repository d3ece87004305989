"""What a model must not be given: the label, what became known with it, or a copy of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_cli.errors import StepFailed
from mlops_cli.features import check
from mlops_cli.pipeline.model import DatasetDef, FeatureView, Source

if TYPE_CHECKING:
    import pyarrow as pa

# with fewer rows beside those of the commonest label, a feature may agree by accident
ENOUGH_ROWS = 10


def refuse_declared(dataset: DatasetDef, spine: Source, views: Mapping[str, FeatureView]) -> None:
    """Raise StepFailed ("leak") where pipeline.yaml itself gives the answer away."""
    if spine.label is None:
        return
    label, known_at = spine.label.column, spine.label.known_at
    for column, what in ((label, "the label"), (known_at, "known only with the label")):
        if column is not None and column in dataset.columns:
            raise _leak(column, f"it is {what}", f"take {column!r} out of `columns`")
    for name, view in views.items():
        drawn = {of for spec in view.windows.values() for of in (spec.mean, spec.sum, spec.count)}
        if view.source == dataset.spine and label in drawn and view.time != known_at:
            raise _leak(
                f"features.{name}",
                f"it gathers {label!r} by {view.time!r}, when the label is not known yet",
                f"set `time: {known_at or '…'}` in features.{name}: when the label became known",
            )


def refuse_copies(table: pa.Table, features: Sequence[str], label: str) -> None:
    """Raise StepFailed ("leak") where a feature tells the label of every row.

    Numbers: equal to the label, or on one straight line with it. Others: as few values as the
    label has, each of which goes with one label.
    """
    for name in features:
        pair = table.select([name, label]).filter(_there(table, name))
        if not pair.num_rows or _rare(pair.column(label)) < ENOUGH_ROWS:
            continue
        if _line(pair, name, label) or _code(pair, name, label):
            raise _leak(
                name,
                f"on all {pair.num_rows:,} rows it says what {label!r} is",
                f"take {name!r} out of the features, or out of the transform that makes it",
            )


def _rare(column: pa.ChunkedArray) -> int:
    """Return how many rows do not have the commonest value."""
    counts = column.value_counts().field("counts").to_pylist()
    commonest: int = max(counts)
    return len(column) - commonest


def _there(table: pa.Table, name: str) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.invert(check.missing(table.column(name)))


def _line(pair: pa.Table, name: str, label: str) -> bool:
    import numpy as np
    import pyarrow as pa

    if not all(check.fits(pair.schema.field(column).type, "float") for column in (name, label)):
        return False
    x, y = (
        pair.column(column).cast(pa.float64(), safe=False).to_numpy() for column in (name, label)
    )
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return False
    slope = (y[np.argmax(x)] - y[np.argmin(x)]) / np.ptp(x)
    on_line = y[np.argmin(x)] + slope * (x - x.min())
    return bool(slope != 0 and np.abs(on_line - y).max() <= 1e-9 * np.ptp(y))


def _code(pair: pa.Table, name: str, label: str) -> bool:
    kinds = pair.group_by([name, label]).aggregate([])
    values = kinds.group_by([name]).aggregate([]).num_rows
    labels = kinds.group_by([label]).aggregate([]).num_rows
    one_to_one = kinds.num_rows == values == labels
    return bool(one_to_one and 1 < labels < pair.num_rows)


def _leak(what: str, why: str, hint: str) -> StepFailed:
    return StepFailed(
        f"{what} cannot be a feature: {why}",
        code="leak",
        hint=hint,
        details={"feature": what},
    )
