"""Which rows differ between two versions of a table: by their key, or as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import StepFailed, UsageError
from mlops_cli.features import engine
from mlops_cli.features.table_diff import Table, text
from mlops_cli.features.tables import TableFile

if TYPE_CHECKING:
    import pyarrow as pa

NUMBERS = ("int", "uint", "float", "double", "halffloat", "decimal")
CELLS = 20_000_000  # up to so many, what changed is also counted for each column


@dataclass(frozen=True, slots=True)
class RowDiff:
    """Rows that came, went, and (with a key) stayed with other values; of these, how many have
    another value in each column. None where it was not counted."""

    added: int
    removed: int
    changed: int | None
    columns: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class Side:
    """One version: its rows, and the same in numbers."""

    file: TableFile
    table: Table


def rows(old: Side, new: Side, *, key: Sequence[str] = ()) -> RowDiff:
    """Return which rows differ in the columns that both versions have.

    Rows are known by 64-bit hashes, 16 bytes of memory each; where the type of a column differs,
    numbers are compared as numbers and all else as text. Raises UsageError ("no-such-column"),
    StepFailed ("key-not-unique", "query-failed"), MissingExtra.
    """
    one, two = old.table, new.table
    both = [name for name in two.columns if name in one.columns]
    for name in key:
        if name not in both:
            raise UsageError(
                f"not both versions have a column {name!r}",
                code="no-such-column",
                hint="the columns are " + ", ".join(both),
                details={"column": name},
            )
    values = [name for name in both if name not in key]
    single = bool(key) and (one.rows + two.rows) * len(values) <= CELLS
    types = {name: (one.columns[name].type, two.columns[name].type) for name in both}
    with engine.connect() as connection:
        for side, file in (("old", old.file), ("new", new.file)):
            _load(connection, side, _same(file.batches(), types), key, values, single=single)
        if not key:
            return _as_a_whole(connection)
        _refuse_twice(connection, key)
        return _by_key(connection, values if single else None)


def _same(
    batches: Iterable[pa.RecordBatch], types: Mapping[str, tuple[str, str]]
) -> Iterator[pa.RecordBatch]:
    """Yield the columns of `types` so that equal values have equal hashes on both sides."""
    import pyarrow as pa

    for batch in batches:
        columns = {}
        for name, sides in types.items():
            found = name in batch.schema.names
            column = batch.column(name) if found else pa.nulls(batch.num_rows)
            if {str(column.type)} != set(sides) and not pa.types.is_null(column.type):
                number = all(side.startswith(NUMBERS) for side in sides)
                column = column.cast(pa.float64()) if number else text(column)
            columns[name] = column
        yield pa.RecordBatch.from_pydict(columns)


def _load(
    connection: Any,
    side: str,
    batches: Iterator[pa.RecordBatch],
    key: Sequence[str],
    values: Sequence[str],
    *,
    single: bool,
) -> None:
    """Make a table `side` of hashes: k of the key, h of the values, c0… of each value."""
    import pyarrow as pa

    parts = [f"{_hash(key)} AS k" if key else f"{_hash(values)} AS k"]
    parts.append(f"{_hash(values)} AS h")
    if single:
        parts += [f"{_hash([name])} AS c{n}" for n, name in enumerate(values)]
    made = False
    for batch in batches:
        connection.register("batch", pa.Table.from_batches([batch]))
        query = f"SELECT {', '.join(parts)} FROM batch"
        connection.execute(
            f"INSERT INTO {side} {query}" if made else f"CREATE TABLE {side} AS {query}"
        )
        connection.unregister("batch")
        made = True
    if not made:
        names = ["k", "h", *(f"c{n}" for n in range(len(values) if single else 0))]
        connection.execute(f"CREATE TABLE {side} ({', '.join(f'{n} UBIGINT' for n in names)})")


def _as_a_whole(connection: Any) -> RowDiff:
    added, removed = connection.execute(
        "WITH o AS (SELECT k, count(*) n FROM old GROUP BY k), "
        "w AS (SELECT k, count(*) n FROM new GROUP BY k) "
        "SELECT coalesce(sum(greatest(coalesce(w.n, 0) - coalesce(o.n, 0), 0)), 0), "
        "coalesce(sum(greatest(coalesce(o.n, 0) - coalesce(w.n, 0), 0)), 0) "
        "FROM o FULL JOIN w ON o.k = w.k"
    ).fetchone()
    return RowDiff(int(added), int(removed), None, None)


def _by_key(connection: Any, values: Sequence[str] | None) -> RowDiff:
    added, removed, changed = connection.execute(
        "SELECT count(*) FILTER (old.k IS NULL), count(*) FILTER (new.k IS NULL), "
        "count(*) FILTER (old.h <> new.h) FROM old FULL JOIN new ON old.k = new.k"
    ).fetchone()
    columns = None
    if values:
        counts = ", ".join(f"count(*) FILTER (old.c{n} <> new.c{n})" for n in range(len(values)))
        found = connection.execute(f"SELECT {counts} FROM old JOIN new ON old.k = new.k").fetchone()
        columns = {name: int(n) for name, n in zip(values, found, strict=True) if n}
    return RowDiff(int(added), int(removed), int(changed), columns)


def _refuse_twice(connection: Any, key: Sequence[str]) -> None:
    for side in ("old", "new"):
        total, distinct = connection.execute(
            f"SELECT count(*), count(DISTINCT k) FROM {side}"
        ).fetchone()
        if total != distinct:
            raise StepFailed(
                f"{' and '.join(key)} is no key: {total - distinct} rows of the {side} version "
                "have the key of another row",
                code="key-not-unique",
                hint="name more columns: --key a --key b",
                details={"key": list(key), "rows": total, "keys": distinct},
            )


def _hash(names: Sequence[str]) -> str:
    if not names:
        return "0::UBIGINT"
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    return f"hash({', '.join(quoted)})"
