"""The point-in-time join: for each row of a spine, the features as they were known at its time.

A row of a view is visible at an instant when its own time is not after it; of the visible rows
of an entity the newest counts, and only while it is no older than the view's ttl. DuckDB's ASOF
join does the look-up (docs/decisions on the join engine); see test_asof_never_sees_the_future.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import StepFailed
from mlops_cli.features import engine, instant, read, view
from mlops_cli.features.view import Statistic
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.data import FeatureView

if TYPE_CHECKING:
    import pyarrow as pa

OWN_TIME = "\0time"


def join(
    spine: pa.Table,
    *,
    time: str,
    views: Sequence[tuple[str, FeatureView, Path | pa.Table]],
    threads: int = engine.THREADS,
    memory: str = engine.MEMORY,
) -> pa.Table:
    """Return `spine` with the columns of all views behind its own; rows and their order are kept.

    `views` are (name, view, values): what `materialize` made, as a path or a table. A spine row
    without time or entity, or whose entity has no visible row, gets null (a count gets 0 where
    the entity is there). Raises StepFailed ("column-missing", "column-twice", "entity-type").
    """
    joined = spine
    with engine.connect(threads=threads, memory=memory) as connection:
        for name, spec, values in views:
            kept = values if not isinstance(values, Path) else _stored(values)
            keys, rows = _prepared(spine, kept, name, spec, time)
            connection.register("spine", keys)
            connection.register("history", rows)
            for column, found in _features(connection, keys, _payload(kept, spec), name, spec):
                if column in joined.column_names:
                    raise twice(name, column)
                joined = joined.append_column(column, found)
            connection.unregister("spine")
            connection.unregister("history")
    return joined


def twice(name: str, column: str) -> StepFailed:
    """Return the error for a column of the view `name` that the table already has."""
    return StepFailed(
        f"the column {column!r} of features.{name} is there already",
        code="column-twice",
        hint="rename the field in the view, or leave the column out of `columns`",
        details={"view": name, "column": column},
    )


def _features(
    connection: Any, keys: pa.Table, payload: Sequence[str], name: str, spec: FeatureView
) -> list[tuple[str, pa.ChunkedArray]]:
    import pyarrow.compute as pc

    many = len(spec.entity)
    found = _look_up(connection, many, payload, 0)
    if not spec.windows:
        if spec.ttl is None:
            return [(column, found.column(column)) for column in spec.fields]
        age = pc.subtract(keys.column("t"), found.column(OWN_TIME))
        fresh = pc.less_equal(age, instant.span(duration(spec.ttl)))
        return [(column, pc.if_else(fresh, found.column(column), None)) for column in spec.fields]
    nobody = pc.is_null(keys.column("t"))
    for position in range(many):
        nobody = pc.or_(nobody, pc.is_null(keys.column(f"e{position}")))
    items = view.statistics(name, spec)
    earlier = {
        over: _look_up(connection, many, payload, over) for over in {item.over for item in items}
    }
    return [(item.column, _statistic(item, found, earlier[item.over], nobody)) for item in items]


def _statistic(
    item: Statistic, now: pa.Table, then: pa.Table, nobody: pa.ChunkedArray
) -> pa.ChunkedArray:
    """Return the figure over (t - over, t]: the totals at t less those at t - over."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def within(total: str) -> pa.ChunkedArray:
        name = f"{item.of}.{total}"
        return pc.subtract(pc.fill_null(now.column(name), 0), pc.fill_null(then.column(name), 0))

    count = within("count")
    if item.figure == "count":
        return pc.if_else(nobody, pa.scalar(None, pa.int64()), count)
    none = pa.scalar(None, pa.float64())
    some = pc.and_(pc.greater(count, 0), pc.invert(nobody))
    total = within("sum").cast(pa.float64(), safe=False)
    if item.figure == "sum":
        return pc.if_else(some, total, none)
    whole = pc.if_else(some, count, 1).cast(pa.float64(), safe=False)
    return pc.if_else(some, pc.divide(total, whole), none)


def _look_up(connection: Any, entities: int, payload: Sequence[str], back: int) -> pa.Table:
    """Return for each spine row, in order, the newest row not after its time less `back`.

    Its columns are the row's own time, named so that no column of a person collides, and the
    payload.
    """
    same = " AND ".join(f"s.e{position} = r.e{position}" for position in range(entities))
    kept = ", ".join(["r.t", *(f"r.p{position}" for position in range(len(payload)))])
    found = engine.table(
        connection,
        f"SELECT {kept} FROM (SELECT * REPLACE (t - {back} AS t) FROM spine) s "
        f"ASOF LEFT JOIN history r ON {same} AND s.t >= r.t ORDER BY s.n",
        what="the point-in-time join",
        hint="use a shorter `window`, or free some memory",
    )
    return found.rename_columns([OWN_TIME, *payload])


def _stored(path: Path) -> pa.Table:
    return read.table(path.parent, path.name)


def _prepared(
    spine: pa.Table, values: pa.Table, name: str, spec: FeatureView, time: str
) -> tuple[pa.Table, pa.Table]:
    """Return both sides with plain names (e0, e1, …, t) and plain types, the spine numbered (n)."""
    import pyarrow as pa

    read.require(spine, [time, *spec.entity], where="the spine")
    read.require(values, [spec.time, *spec.entity], where=f"features.{name}")
    left = {"n": pa.array(range(spine.num_rows), pa.int64())}
    right = {}
    left["t"] = instant.micros(spine.column(time), time)
    right["t"] = instant.micros(values.column(spec.time), spec.time)
    for position, column in enumerate(spec.entity):
        one, two = _comparable(spine.column(column)), _comparable(values.column(column))
        if pa.types.is_null(one.type) or not len(one):
            one = one.cast(two.type)
        elif pa.types.is_null(two.type) or not len(two):
            two = two.cast(one.type)
        if one.type != two.type:
            raise StepFailed(
                f"the entity {column!r} is {one.type} in the spine and {two.type} in "
                f"features.{name}",
                code="entity-type",
                hint=f"give {column!r} the same type in both sources",
                details={"view": name, "column": column},
            )
        left[f"e{position}"], right[f"e{position}"] = one, two
    for position, item in enumerate(_payload(values, spec)):
        right[f"p{position}"] = values.column(item)
    return pa.table(left), pa.table(right)


def _payload(values: pa.Table, spec: FeatureView) -> list[str]:
    return [item for item in values.column_names if item not in (*spec.entity, spec.time)]


def _comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64(), safe=False)  # a large uint64 wraps, on both sides alike
    return column.cast(pa.string()) if pa.types.is_large_string(column.type) else column
