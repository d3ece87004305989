"""Predictions for a table or a Parquet file, offline, by the same session that serves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli import fsio
from mlops_cli.errors import ConfigError, NotFound, StateRefused
from mlops_cli.progress import SILENT, Progress
from mlops_cli.serving.model import Model, run
from mlops_cli.serving.schema import FLOATS, NUMPY, Column

if TYPE_CHECKING:
    from mlops_cli.serving.tensors import Array

_ROWS = 8192  # in one call of the session; bounds the memory


@dataclass(frozen=True, slots=True)
class Batch:
    """What was predicted, and where it lies."""

    path: Path
    rows: int
    outputs: tuple[str, ...]


def predict(model: Model, table: Any) -> dict[str, Array]:
    """Return the outputs of `model` for an Arrow table, whose other columns are left aside.

    Numbers of any width become the dtype of the input; null stands for a missing value.
    Raises NotFound ("column-missing"), StateRefused ("column-type", "null-input").
    """
    return run(model, {column.name: to_array(column, table) for column in model.schema.inputs})


def predict_file(model: Model, source: Path, to: Path, *, progress: Progress = SILENT) -> Batch:
    """Write the rows of the Parquet file `source` with the outputs of `model` beside them.

    The model stands in the metadata of the file `to`, which appears whole or not at all.
    """
    names = tuple(column.name for column in model.schema.outputs)
    with fsio.translated(to), fsio.replacing(to, mode=0o644) as temporary:
        rows = _write(model, source, temporary, names, progress)
    return Batch(to, rows, names)


def _write(model: Model, source: Path, to: Path, names: tuple[str, ...], progress: Progress) -> int:
    """Write the answers to all rows of `source`; return how many there are."""
    import pyarrow.parquet as pq

    writer: Any = None
    rows = 0
    try:
        with progress.task("predict", unit="rows") as task:
            for table in _tables(source):
                if writer is None:
                    _check_output(table, names, source)
                outputs = predict(model, table)
                answered = table
                for name in names:
                    answered = answered.append_column(name, _output(outputs[name]))
                if writer is None:
                    schema = _labelled(answered.schema, model)
                    writer = pq.ParquetWriter(to, schema, use_content_defined_chunking=True)
                writer.write_table(answered.replace_schema_metadata(writer.schema.metadata))
                rows += table.num_rows
                task.advance(table.num_rows)
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        raise StateRefused(f"{source} has no rows", code="no-rows", hint="nothing was written")
    return rows


def to_array(column: Column, table: Any) -> Array:
    """Return the values of one input in `table` as the model takes them."""
    import numpy as np
    import pyarrow as pa

    if column.name not in table.column_names:
        raise NotFound(
            f"the table has no column {column.name!r}, which the model takes",
            code="column-missing",
            hint="its columns: " + ", ".join(table.column_names),
        )
    values = table.column(column.name)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    fits = {
        "BYTES": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t),
        "BOOL": pa.types.is_boolean,
        "INT64": pa.types.is_integer,
        "INT32": pa.types.is_integer,
    }.get(column.dtype, _numeric)
    if not (fits(values.type) or pa.types.is_null(values.type)):
        raise StateRefused(
            f"column {column.name!r} is {values.type} where the model takes {column.dtype}",
            code="column-type",
            hint="convert the column",
        )
    if column.dtype in FLOATS:
        array: Array = values.cast(pa.float64()).to_numpy().astype(NUMPY[column.dtype])
        missing = int(np.isnan(array).sum())
    else:
        missing = values.null_count
        plain = values.to_pylist() if column.dtype == "BYTES" else values.to_numpy()
        array = (
            np.array(plain, dtype=NUMPY[column.dtype])
            if not missing or (column.dtype == "BYTES")
            else np.empty(0)
        )
    if missing and not (column.nullable and column.dtype in {*FLOATS, "BYTES"}):
        raise StateRefused(
            f"column {column.name!r} has {missing} missing values, which the model does not take",
            code="null-input",
            hint="fill or leave out these rows",
        )
    return array


def _numeric(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    )


def _tables(source: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not source.exists():
        raise NotFound(f"there is no file {source}", code="file-missing", hint="ls")
    try:
        with pq.ParquetFile(source) as file:
            for batch in file.iter_batches(batch_size=_ROWS):
                yield pa.Table.from_batches([batch])
    except pa.ArrowInvalid as exc:
        raise ConfigError(
            f"{source} is not a Parquet file: {str(exc).splitlines()[0]}",
            code="not-parquet",
            hint="write it with pyarrow, pandas or DuckDB",
        ) from exc


def _output(array: Array) -> Any:
    """Return an output [rows] as a column, one of [rows, k] as a column of lists."""
    import pyarrow as pa

    if array.ndim == 1:
        return pa.array(array)
    return pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1])


def _check_output(table: Any, names: tuple[str, ...], source: Path) -> None:
    taken = [name for name in names if name in table.column_names]
    if taken:
        raise StateRefused(
            f"{source} already has a column {taken[0]!r}, which the model would add",
            code="column-exists",
            hint="rename or drop the column",
        )


def _labelled(schema: Any, model: Model) -> Any:
    said = {"model": model.name, "version": str(model.version), "digest": model.digest}
    labels = {f"mlops.{name}".encode(): value.encode() for name, value in said.items()}
    return schema.with_metadata({**(schema.metadata or {}), **labels})
