"""How one version of a table differs from another: columns, rows, and each column in numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

COUNTED = 100_000  # distinct values, above which only "at least so many" is known
MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Column:
    """One column in numbers, as JSON can hold them: `mean` of numbers, `min` and `max` of what
    has an order. NaN counts as null. `distinct` leaves nulls out, and is a lower bound unless
    `exact`."""

    type: str
    nulls: int
    distinct: int | None
    exact: bool
    min: Any
    max: Any
    mean: Any


@dataclass(frozen=True, slots=True)
class Table:
    """A table in numbers, its columns in their order."""

    rows: int
    columns: dict[str, Column]


@dataclass(frozen=True, slots=True)
class TableDiff:
    """What became of a table; the columns `changed` have other numbers or another type."""

    old: Table
    new: Table
    added: tuple[str, ...]
    removed: tuple[str, ...]
    retyped: tuple[str, ...]
    changed: tuple[str, ...]
    reordered: bool


def compare(old: Table, new: Table) -> TableDiff:
    """Return how `new` differs from `old`."""
    both = [name for name in new.columns if name in old.columns]
    return TableDiff(
        old,
        new,
        added=tuple(name for name in new.columns if name not in old.columns),
        removed=tuple(name for name in old.columns if name not in new.columns),
        retyped=tuple(n for n in both if old.columns[n].type != new.columns[n].type),
        changed=tuple(name for name in both if old.columns[name] != new.columns[name]),
        reordered=both != [name for name in old.columns if name in new.columns],
    )


def measure(batches: Iterable[pa.RecordBatch]) -> Table:
    """Return the table in numbers; memory is bound by a batch and by COUNTED values a column."""
    rows = 0
    columns: dict[str, _Counter] = {}
    for batch in batches:
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            if name not in columns:
                columns[name] = _Counter(nulls=rows)
            columns[name].take(values)
        for name in columns.keys() - set(batch.schema.names):
            columns[name].nulls += batch.num_rows
        rows += batch.num_rows
    return Table(rows, {name: counter.column() for name, counter in columns.items()})


@dataclass(slots=True)
class _Counter:
    nulls: int = 0
    type: Any = None
    count: int = 0
    total: float = 0.0
    low: Any = None
    high: Any = None
    seen: Any = None
    full: bool = False
    mixed: bool = False

    def take(self, values: pa.Array) -> None:
        """Count one batch of the column."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        self.nulls += values.null_count
        if pa.types.is_null(values.type):
            self.type = values.type if self.type is None else self.type
            return
        values = self._agreed(values)
        present = values.drop_null()
        self.count += len(present)
        if not len(present) or _nested(present.type):
            return
        self._bounds(present)
        if _number(present.type):
            self.total += pc.sum(present.cast(pa.float64())).as_py()
        if not self.full:
            fresh = pc.unique(present)
            parts = [fresh] if self.seen is None else [self.seen, fresh]
            self.seen = pc.unique(pa.concat_arrays(parts))
            self.full = len(self.seen) > COUNTED

    def column(self) -> Column:
        """Return what was counted."""
        number = self.type is not None and _number(self.type) and not self.mixed
        distinct = 0 if self.seen is None else min(len(self.seen), COUNTED)
        known = self.type is None or not _nested(self.type)
        return Column(
            type=MIXED if self.mixed else str(self.type or "null"),
            nulls=self.nulls,
            distinct=distinct if known else None,
            exact=known and not self.full,
            min=plain(self.low),
            max=plain(self.high),
            mean=plain(self.total / self.count) if number and self.count else None,
        )

    def _agreed(self, values: pa.Array) -> pa.Array:
        """Return the values in the type of the column, which becomes wider where it must."""
        import pyarrow as pa

        if self.mixed:
            return text(values)
        if self.type is None or pa.types.is_null(self.type) or self.type == values.type:
            self.type = values.type
            return values
        if _number(self.type) and _number(values.type):
            self.type = pa.float64()
            self.seen = None if self.seen is None else self.seen.cast(pa.float64())
            return values.cast(pa.float64())
        self.mixed, self.type, self.low, self.high = True, pa.string(), None, None
        self.seen = None if self.seen is None else text(self.seen)
        return text(values)

    def _bounds(self, present: pa.Array) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_binary(present.type) or pa.types.is_large_binary(present.type):
            return
        found = pc.min_max(present)
        low, high = found["min"].as_py(), found["max"].as_py()
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)


def text(values: pa.Array) -> pa.Array:
    """Return the values as text, whatever they are."""
    import pyarrow as pa

    try:
        return values.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        import json

        words = [
            None if one is None else json.dumps(one, sort_keys=True, default=str)
            for one in values.to_pylist()
        ]
        return pa.array(words, pa.string())


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _nested(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_nested(kind))
