"""Tables from files of any size, batch by batch: Parquet, CSV, TSV and lines of JSON."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mlops_cli.errors import StepFailed

if TYPE_CHECKING:
    import pyarrow as pa

Source = Path | bytes
SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".ndjson")
BATCH = 1 << 16  # rows
BLOCK = 4 << 20  # bytes of text read at a time

_COLUMN = re.compile(r"In CSV column #(\d+): CSV conversion error to ([a-z0-9]+)")


def is_table(path: str) -> bool:
    """Tell by its name whether a file is a table that can be read here."""
    return path.endswith(SUFFIXES)


@dataclass(slots=True)
class TableFile:
    """The table `source`; its kind is told by `name`, the path it has in the project."""

    source: Source
    name: str
    _types: dict[str, Any] | None = field(default=None, repr=False)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, as often as they are asked for.

        The types of text are those that fit all of it. Lines of JSON may change theirs from one
        batch to the next. Raises StepFailed ("unreadable-data").
        """
        import pyarrow as pa

        name = self.name
        try:
            if name.endswith(".parquet"):
                yield from _parquet(self.source)
            elif name.endswith((".csv", ".tsv")):
                if self._types is None:
                    self._types = _csv_types(self.source, name)
                yield from _csv(self.source, name, self._types)
            else:
                yield from _json(self.source)
        except (pa.ArrowException, OSError, ValueError) as exc:
            raise StepFailed(
                f"{name} cannot be read as a table: {str(exc).splitlines()[0]}",
                code="unreadable-data",
                hint=f"write {name} anew, or leave tables out: --no-tables",
                details={"path": name},
            ) from exc


def _parquet(source: Source) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    given = pa.BufferReader(source) if isinstance(source, bytes) else source
    with pq.ParquetFile(given, memory_map=False) as file:
        yield from file.iter_batches(batch_size=BATCH)
        if file.metadata.num_rows == 0:
            yield from file.schema_arrow.empty_table().to_batches(1) or [
                pa.RecordBatch.from_arrays(
                    [pa.array([], field.type) for field in file.schema_arrow],
                    schema=file.schema_arrow,
                )
            ]


def _csv_types(source: Source, name: str) -> dict[str, Any]:
    """Return the types of those columns whose first block does not tell what is to come."""
    import pyarrow as pa

    wider: dict[str, Any] = {}
    if (len(source) if isinstance(source, bytes) else source.stat().st_size) <= BLOCK:
        return wider
    while True:
        try:
            for _ in _csv(source, name, wider):
                pass
            return wider
        except pa.ArrowInvalid as exc:
            found = _COLUMN.search(str(exc))
            if found is None:
                raise
            column = _header(source, name)[int(found[1])]
            number = found[2] in ("int64", "null") and wider.get(column) != pa.float64()
            wider[column] = pa.float64() if number else pa.string()


def _csv(source: Source, name: str, types: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    from pyarrow import csv

    with _opened(source) as stream:
        if not stream.read(1):
            return
        stream.seek(0)
        reader = csv.open_csv(
            stream,
            read_options=csv.ReadOptions(block_size=BLOCK),
            parse_options=csv.ParseOptions(delimiter="\t" if name.endswith(".tsv") else ","),
            convert_options=csv.ConvertOptions(strings_can_be_null=True, column_types=types),
        )
        empty = True
        for batch in reader:
            empty = False
            yield batch
        if empty:
            import pyarrow as pa

            fields = [pa.array([], field.type) for field in reader.schema]
            yield pa.RecordBatch.from_arrays(fields, schema=reader.schema)


def _header(source: Source, name: str) -> list[str]:
    from pyarrow import csv

    with _opened(source) as stream:
        reader = csv.open_csv(
            stream,
            parse_options=csv.ParseOptions(delimiter="\t" if name.endswith(".tsv") else ","),
        )
        return list(reader.schema.names)


def _json(source: Source) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    with _opened(source) as stream:
        rest = b""
        while True:
            block = stream.read(BLOCK)
            whole, newline, tail = (rest + block).rpartition(b"\n")
            if not block:
                whole, tail = rest, b""
            elif not newline:
                rest += block
                continue
            rest = tail
            if whole.strip():
                try:
                    yield from arrow_json.read_json(io.BytesIO(whole)).combine_chunks().to_batches()
                except pa.ArrowInvalid:
                    yield _mixed(whole)
            if not block:
                return


def _mixed(block: bytes) -> pa.RecordBatch:
    """Return lines of JSON in which one name has values of several types, as text."""
    import pyarrow as pa

    rows = [json.loads(line) for line in block.splitlines() if line.strip()]
    columns: dict[str, Any] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            words = [None if one is None else json.dumps(one, sort_keys=True) for one in values]
            columns[name] = pa.array(words)
    return pa.RecordBatch.from_pydict(columns)


def _opened(source: Source) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
