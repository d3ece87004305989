"""Rows of a view in the order of entity and instant: the newest of each, or running totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_cli.errors import MissingExtra, StepFailed
from mlops_cli.features import check

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


def ordered(rows: pa.Table, entity: Sequence[str], time: str) -> pa.Table:
    """Return the rows sorted by entity and instant; equal ones stay in the order they came."""
    import pyarrow as pa

    number = "\0row"  # no column of a person is called so
    keyed = rows.append_column(number, pa.array(range(rows.num_rows), pa.int64()))
    keys = [(name, "ascending") for name in (*entity, time, number)]
    return keyed.sort_by(keys).drop_columns([number]).combine_chunks()


def newest(rows: pa.Table, entity: Sequence[str], time: str) -> pa.Table:
    """Return the last row of each entity and instant; `rows` are ordered."""
    return rows.filter(_last([rows.column(name) for name in (*entity, time)]))


def latest(rows: pa.Table, entity: Sequence[str]) -> pa.Table:
    """Return the last row of each entity; `rows` are ordered."""
    return rows.filter(_last([rows.column(name) for name in entity]))


def running(
    rows: pa.Table, entity: Sequence[str], time: str, of: Mapping[str, bool], *, name: str
) -> pa.Table:
    """Return per entity and instant the totals of all rows up to then; `rows` are ordered.

    `of`: column → whether its sum is kept beside the count of its values. Sums of integers and
    truth values are int64 and exact, others float64. Null and non-finite values do not count.
    Raises StepFailed ("wrong-type") for sums of what is no number.
    """
    import pyarrow as pa

    try:
        import numpy as np
    except ImportError as exc:
        raise MissingExtra.of("numpy", "features") from exc

    changes = ~np.asarray(_last([rows.column(part) for part in entity]))
    starts = np.concatenate([[True], ~changes[:-1]]) if rows.num_rows else np.zeros(0, dtype=bool)
    columns: dict[str, pa.Array] = {part: rows.column(part) for part in (*entity, time)}
    for column, summed in of.items():
        values = rows.column(column)
        if pa.types.is_null(values.type):  # all unknown yet: numbers of which there are none
            values = values.cast(pa.int64())
        if summed and not (check.fits(values.type, "float") or check.fits(values.type, "bool")):
            raise StepFailed(
                f"features.{name}: a window sums {column!r}, which holds {values.type}",
                code="wrong-type",
                hint="sum and mean need numbers; `count` takes any column",
                details={"view": name, "column": column, "found": str(values.type)},
            )
        numbers, held = _numbers(values, summed)
        columns[f"{column}.count"] = pa.array(_accumulate(held.astype(np.int64), starts))
        if summed:
            columns[f"{column}.sum"] = pa.array(_accumulate(numbers, starts))
    made = pa.table(columns)
    return made.filter(_last([rows.column(part) for part in (*entity, time)]))


def _last(columns: Sequence[pa.ChunkedArray]) -> pa.Array:
    """Return for ordered rows whether each is the last of its equals in all `columns`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = len(columns[0])
    if rows == 0:
        return pa.array([], pa.bool_())
    differs = None
    for column in columns:
        step = pc.not_equal(column.slice(0, rows - 1), column.slice(1))
        differs = step if differs is None else pc.or_(differs, step)
    chunks = differs.chunks if isinstance(differs, pa.ChunkedArray) else [differs]
    return pa.concat_arrays([*chunks, pa.array([True])])


def _numbers(
    values: pa.ChunkedArray, summed: bool
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.bool_]]:
    """Return the values with 0 for missing ones, and which are there."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not summed:
        held = pc.invert(check.missing(values)).to_numpy(zero_copy_only=False)
        return np.zeros(0), held
    whole = pa.types.is_integer(values.type) or pa.types.is_boolean(values.type)
    numbers = values.cast(pa.int64() if whole else pa.float64())
    if not whole:
        finite = pc.fill_null(pc.is_finite(numbers), False)
        numbers = pc.if_else(finite, numbers, pa.scalar(None, pa.float64()))
    held = pc.is_valid(numbers).to_numpy(zero_copy_only=False)
    return pc.fill_null(numbers, 0).to_numpy(), held


def _accumulate(
    values: npt.NDArray[np.generic], starts: npt.NDArray[np.bool_]
) -> npt.NDArray[np.generic]:
    """Return the running sum of `values` that begins anew wherever `starts`."""
    import numpy as np

    if len(values) == 0:
        return values
    first = np.flatnonzero(starts)
    if values.dtype == np.int64:  # exact, so one sum over all and a correction per group
        whole: npt.NDArray[np.generic] = np.cumsum(values)
        before = np.concatenate([[0], whole])[first]
        return np.asarray(whole - np.repeat(before, np.diff(np.append(first, len(values)))))
    # floats: group by group, so that one entity's large values cost another no digits
    return np.concatenate([np.cumsum(part) for part in np.split(values, first[1:])])
