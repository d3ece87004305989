"""A table from a Parquet or CSV file, or from a folder of them in the order of their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.errors import NotFound, StepFailed
from mlops_cli.fsio import inside

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".parquet", ".csv")


def table(root: Path, path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows under `path`, in the order of the files' names and of their rows.

    Types are made plain, so that no engine sees more than it must: instants become
    timestamp[us, UTC] (one without a zone counts as UTC), dictionaries their values, text
    `string`. `columns` narrows what is read. Raises NotFound ("data-missing"), StepFailed
    ("column-missing", "unreadable-data", "schema-differs").
    """
    import pyarrow as pa

    found = files(inside(root, path))
    if not found:
        raise NotFound(
            f"there is no data at {path}",
            code="data-missing",
            hint=f"mlops checkout, or put a Parquet or CSV file at {path}",
            details={"path": path},
        )
    parts = [plain(_read(file, root, columns)) for file in found]
    try:
        return pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as exc:
        raise StepFailed(
            f"the files under {path} do not agree on their columns: {exc}",
            code="schema-differs",
            hint="write all files with the same column types",
            details={"path": path},
        ) from exc


def files(path: Path) -> list[Path]:
    """Return the data files under `path`, sorted by name; hidden ones and `_…` are left out."""
    if path.is_file():
        return [path]
    inner = [
        item
        for item in path.rglob("*")
        if item.suffix in SUFFIXES
        and not any(part.startswith((".", "_")) for part in item.relative_to(path).parts)
    ]
    suffix = SUFFIXES[0] if any(item.suffix == SUFFIXES[0] for item in inner) else SUFFIXES[1]
    kept = [item for item in inner if item.suffix == suffix]
    return sorted(kept, key=lambda item: item.relative_to(path).as_posix())


def count(root: Path, path: str) -> int | None:
    """Return how many rows are under `path`, for Parquet without reading any; None where no table
    is."""
    found = files(inside(root, path))
    if not found or any(file.suffix not in SUFFIXES for file in found):
        return None
    if found[0].suffix == ".csv":
        return int(table(root, path).num_rows)
    import pyarrow.parquet as pq

    return sum(int(pq.read_metadata(file).num_rows) for file in found)


def require(table: pa.Table, names: Sequence[str], *, where: str) -> None:
    """Raise StepFailed ("column-missing") unless `table`, called `where`, has all columns."""
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise StepFailed(
            f"{where} has no column {missing[0]!r}",
            code="column-missing",
            hint=f"its columns are {', '.join(table.column_names) or 'none'}",
            details={"column": missing[0], "missing": missing, "where": where},
        )


def plain(part: pa.Table) -> pa.Table:
    """Return the same rows in plain types: see `table`."""
    import pyarrow as pa

    instant = pa.timestamp("us", tz="UTC")
    fields = []
    for column in part.schema:
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            kind = instant
        elif pa.types.is_large_string(kind) or "view" in str(kind):
            kind = pa.string()
        fields.append(pa.field(column.name, kind))
    columns = [
        _cast(column, field.type) for column, field in zip(part.columns, fields, strict=True)
    ]
    return pa.table(columns, schema=pa.schema(fields))


def _read(file: Path, root: Path, columns: Sequence[str] | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    where = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
    try:
        if file.suffix == ".csv":
            part = csv.read_csv(file, convert_options=csv.ConvertOptions(strings_can_be_null=True))
            names = part.column_names
        else:
            # one file, never a dataset: folder names shall not become columns
            source = pq.ParquetFile(file)
            names = source.schema_arrow.names
            wanted = None if columns is None else [name for name in columns if name in names]
            part = source.read(columns=wanted)
    except (pa.ArrowException, OSError) as exc:
        raise StepFailed(
            f"{where} cannot be read: {str(exc).splitlines()[0]}",
            code="unreadable-data",
            hint=f"mlops verify, or write {where} anew as Parquet or CSV",
            details={"path": where},
        ) from exc
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise StepFailed(
            f"{where} has two columns called {twice[0]!r}",
            code="column-twice",
            hint=f"rename one of them in {where}",
            details={"path": where, "column": twice[0]},
        )
    if columns is None:
        return part
    require(pa.table({name: pa.nulls(0) for name in names}), columns, where=where)
    return part.select(list(columns))


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa

    if column.type == kind:
        return column
    if pa.types.is_timestamp(kind) and getattr(column.type, "tz", None) is None:
        column = column.cast(pa.timestamp("us"), safe=False)
    return column.cast(kind, safe=False)
