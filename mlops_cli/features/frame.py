"""Features of some entities as one table: as they were known at a time, or from an online store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import StepFailed, UsageError
from mlops_cli.features import instant, offline, online, read, view
from mlops_cli.features.online import OnlineStore
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.data import FeatureView

if TYPE_CHECKING:
    import pyarrow as pa

AT = "\0at"


@dataclass(frozen=True, slots=True)
class Asked:
    """A view that is asked, and its rows where it is asked offline."""

    name: str
    spec: FeatureView
    values: pa.Table | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """`table`: the keys as they were given, then the columns of all views. `missing` has for each
    row of an online answer view → why it has no values."""

    table: pa.Table
    columns: tuple[str, ...]
    missing: tuple[Mapping[str, str], ...] = ()


def entity_of(asked: Sequence[Asked]) -> list[str]:
    """Return the entity columns of all views, each once."""
    return list(dict.fromkeys(column for one in asked for column in one.spec.entity))


def check(words: Mapping[str, str], asked: Sequence[Asked]) -> None:
    """Raise UsageError ("wrong-entity") unless exactly the entity columns are given."""
    wanted = entity_of(asked)
    if set(words) != set(wanted):
        names = " and ".join(f"features.{one.name}" for one in asked)
        raise UsageError(
            f"the entity of {names} is {' and '.join(wanted)}",
            code="wrong-entity",
            hint=" ".join(f"--entity {column}=…" for column in wanted),
        )


def typed(words: Mapping[str, str], kinds: Mapping[str, Any]) -> pa.Table:
    """Return one row of keys from the words of a command line; `kinds`: column → Arrow type.

    Raises UsageError ("wrong-entity") for words that are no value of their column.
    """
    import pyarrow as pa

    columns: dict[str, pa.Array] = {}
    for column in words:
        try:
            columns[column] = pa.array([words[column]]).cast(kinds[column])
        except pa.ArrowInvalid as exc:
            raise UsageError(
                f"{words[column]!r} is no value of {column!r}, which holds {kinds[column]}",
                code="wrong-entity",
            ) from exc
    return pa.table(columns)


def everyone(asked: Sequence[Asked]) -> pa.Table:
    """Return the keys of every entity that the views, all about the same, ever saw.

    Raises UsageError ("no-entity") for views about different things.
    """
    first = list(asked[0].spec.entity)
    if any(set(one.spec.entity) != set(first) for one in asked) or asked[0].values is None:
        raise UsageError(
            "these views are about different things, so it is not clear of whom to tell",
            code="no-entity",
            hint="name one with --entity COLUMN=VALUE, or many with --entities FILE.parquet",
        )
    import pyarrow as pa

    keys = [one.values.select(first) for one in asked if one.values is not None]
    whole = pa.concat_tables(keys, promote_options="permissive")
    return whole.group_by(first).aggregate([]).sort_by([(name, "ascending") for name in first])


def kinds(asked: Sequence[Asked]) -> dict[str, Any]:
    """Return entity column → Arrow type, from the rows of the views."""
    return {
        column: one.values.schema.field(column).type
        for one in reversed(asked)
        if one.values is not None
        for column in one.spec.entity
    }


def kinds_online(asked: Sequence[Asked], store: OnlineStore) -> dict[str, Any]:
    """Return entity column → Arrow type, from what the store holds. Raises NotFound."""
    import pyarrow as pa

    names = {"string": pa.string(), "int": pa.int64(), "bool": pa.bool_()}
    found: dict[str, Any] = {}
    for one in asked:
        about = store.about(one.name)
        if about is None:
            raise online.not_materialized(one.name)
        found |= {column: names[kind] for column, kind in about.layout.entity.items()}
    return found


def known(keys: pa.Table, asked: Sequence[Asked], *, at: datetime | str) -> Frame:
    """Return what the views knew of each key at `at`: a moment, or the name of a column of them."""
    spine, time = _timed(keys, asked, at)
    views = [(one.name, one.spec, one.values) for one in asked]
    found = offline.join(spine, time=time, views=views)
    return Frame(_bare(found), _columns(asked))


def served(
    keys: pa.Table, asked: Sequence[Asked], *, at: datetime | str, store: OnlineStore
) -> Frame:
    """Return what the store says of each key at `at`, as a server would be told.

    Raises NotFound ("not-materialized"), StepFailed ("entity-type", "column-twice").
    """
    import pyarrow as pa

    spine, time = _timed(keys, asked, at)
    moments = instant.micros(spine.column(time), time).to_pylist()
    types = kinds_online(asked, store)
    dtypes = {"float": pa.float64(), "int": pa.int64(), "bool": pa.bool_(), "string": pa.string()}
    table = _bare(spine)
    missing: list[dict[str, str]] = [{} for _ in moments]
    for one in asked:
        entities = list(zip(*(_key(keys, name, types[name]) for name in one.spec.entity)))  # noqa: B905
        entities = [
            entity if moment is not None else (None,)
            for entity, moment in zip(entities, moments, strict=True)
        ]
        ttl = None if one.spec.ttl is None else instant.span(duration(one.spec.ttl))
        answers = store.read(one.name, entities, at=[moment or 0 for moment in moments], ttl=ttl)
        for row, answer in zip(missing, answers, strict=True):
            if answer.missing is not None:
                row[one.name] = answer.missing
        about = store.about(one.name)
        layout = {} if about is None else about.layout.columns
        for place, (column, kind) in enumerate(layout.items()):
            if column in table.column_names:
                raise offline.twice(one.name, column)
            values = pa.array([answer.values[place] for answer in answers], dtypes[kind])
            table = table.append_column(column, values)
    names = [name for name in table.column_names if name not in keys.column_names]
    return Frame(table, tuple(names), tuple(missing))


def _timed(keys: pa.Table, asked: Sequence[Asked], at: datetime | str) -> tuple[pa.Table, str]:
    import pyarrow as pa

    read.require(keys, entity_of(asked), where="the table of entities")
    if isinstance(at, str):
        read.require(keys, [at], where="the table of entities")
        return keys, at
    moments = pa.array([instant.of(at)] * keys.num_rows, pa.int64())
    return keys.append_column(AT, moments.cast(pa.timestamp("us", tz="UTC"))), AT


def _bare(table: pa.Table) -> pa.Table:
    return table.drop_columns([AT]) if AT in table.column_names else table


def _columns(asked: Sequence[Asked]) -> tuple[str, ...]:
    return tuple(column for one in asked for column in view.columns(one.name, one.spec))


def _key(keys: pa.Table, name: str, kind: Any) -> list[Any]:
    import pyarrow as pa

    column = keys.column(name)
    found = column.type
    fits = found == kind or pa.types.is_null(found)
    if not fits and not (pa.types.is_integer(found) and pa.types.is_integer(kind)):
        raise StepFailed(
            f"the entity {name!r} is {found}, but {kind} in the online store",
            code="entity-type",
            hint=f"convert {name!r} to {kind}",
            details={"column": name},
        )
    values: list[Any] = column.to_pylist()
    return values
