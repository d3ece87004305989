"""What a model must not be given: the label, what became known with it, or a copy of it.

Each check names what it found; `judge` stops with all that nobody has waived with a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import StepFailed
from mlops_cli.features import check, instant
from mlops_cli.pipeline.model.data import FeatureView, Source
from mlops_cli.pipeline.model.training import DatasetDef

if TYPE_CHECKING:
    import pyarrow as pa

# with fewer rows beside those of the commonest label, a feature may agree by accident
ENOUGH_ROWS = 10


@dataclass(frozen=True, slots=True)
class Leak:
    """What one check found. `check` is the name by which a person may waive it."""

    check: str  # shared-group | late-label | future-feature | target-in-features
    message: str
    hint: str
    details: Mapping[str, Any] = field(default_factory=dict)


def judge(found: Iterable[Leak], waive: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the waived leaks, each with its reason, as plain values.

    Raises StepFailed ("leak") when one is left; its message tells all of them.
    """
    waived, left = [], []
    for leak in found:
        if leak.check in waive:
            said = {"check": leak.check, "found": leak.message, "reason": waive[leak.check]}
            waived.append(said)
        else:
            left.append(leak)
    if not left:
        return waived
    first = left[0]
    message = first.message
    if len(left) > 1:
        lines = "".join(f"\n  {leak.check}: {leak.message}; {leak.hint}" for leak in left)
        message = f"the dataset has {len(left)} leaks{lines}"
    raise StepFailed(
        message,
        code="leak",
        hint=f"{first.hint}; or say why not under dataset.waive: {{{first.check}: …}}",
        details={
            **first.details,
            "check": first.check,
            "leaks": [{"check": leak.check, "message": leak.message} for leak in left],
        },
    )


def declared(
    dataset: DatasetDef, spine: Source, views: Mapping[str, FeatureView]
) -> Iterator[Leak]:
    """Yield where pipeline.yaml itself gives the answer away."""
    if spine.label is None:
        return
    label, known_at = spine.label.column, spine.label.known_at
    for column, what in ((label, "the label"), (known_at, "known only with the label")):
        if column is not None and column in dataset.columns:
            yield _target(column, f"it is {what}", f"take {column!r} out of `columns`")
    for name, view in views.items():
        drawn = {of for spec in view.windows.values() for of in (spec.mean, spec.sum, spec.count)}
        if view.source == dataset.spine and label in drawn and view.time != known_at:
            yield _target(
                f"features.{name}",
                f"it gathers {label!r} by {view.time!r}, when the label is not known yet",
                f"set `time: {known_at or '…'}` in features.{name}: when the label became known",
            )


def futures(table: pa.Table, dataset: DatasetDef, spine: Source) -> Iterator[Leak]:
    """Yield columns whose value was known only after the event that they are to predict."""
    import pyarrow.compute as pc

    if spine.time is None:
        return
    event = instant.micros(table.column(spine.time), spine.time)
    for column, known_at in spine.known_at.items():
        if column not in dataset.columns:
            continue
        known = instant.micros(table.column(known_at), known_at)
        late = pc.fill_null(pc.greater(known, event), False)
        late = pc.and_(late, pc.is_valid(table.column(column)))
        count = pc.sum(late).as_py() or 0
        if count:
            yield Leak(
                "future-feature",
                f"{column!r} was known only after {spine.time!r} in {count:,} of "
                f"{table.num_rows:,} rows, as {known_at!r} tells",
                f"take {column!r} out of `columns`, or make it a feature view with "
                f"time: {known_at}, which joins what was known",
                {"feature": column, "rows": count},
            )


def copies(table: pa.Table, features: Sequence[str], label: str) -> Iterator[Leak]:
    """Yield the features that tell the label of every row.

    Numbers: on one straight line with the label, or in its order on all rows. Others: as few
    values as the label has, each of which goes with one label.
    """
    for name in features:
        pair = table.select([name, label]).filter(_there(table, name))
        if not pair.num_rows or _rare(pair.column(label)) < ENOUGH_ROWS:
            continue
        rows = f"on all {pair.num_rows:,} rows"
        hint = f"take {name!r} out of the features, or out of the transform that makes it"
        if _line(pair, name, label) or _code(pair, name, label):
            yield _target(name, f"{rows} it says what {label!r} is", hint)
        elif _order(pair, name, label):
            yield _target(name, f"{rows} its order is that of {label!r}", hint)


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


def _order(pair: pa.Table, name: str, label: str) -> bool:
    """Return whether sorting by the feature sorts by the label as well, up or down."""
    import numpy as np
    import pyarrow as pa

    if not all(check.fits(pair.schema.field(column).type, "float") for column in (name, label)):
        return False
    x, y = (
        pair.column(column).cast(pa.float64(), safe=False).to_numpy() for column in (name, label)
    )
    for direction in (y, -y):
        # of equal features the greater label comes first: one that only ties then goes down
        order = np.lexsort((-direction, x))
        if bool((np.diff(direction[order]) >= 0).all()):
            return True
    return False


def _target(what: str, why: str, hint: str) -> Leak:
    message = f"{what} cannot be a feature: {why}"
    return Leak("target-in-features", message, hint, {"feature": what})
