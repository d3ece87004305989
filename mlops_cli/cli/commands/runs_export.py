"""`mlops runs export`: the records of steps as a table for other tools."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mlops_cli import fsio
from mlops_cli.cli import context
from mlops_cli.cli.render.text import count
from mlops_cli.encode import readable_json
from mlops_cli.errors import UsageError
from mlops_cli.ledger import query
from mlops_cli.ledger.expression import parse
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import Record

FORMATS = ("csv", "parquet", "json")
_PLAIN = ("run", "step", "step_kind", "status", "started", "seconds", "actor", "key", "series")


def command(
    form: Annotated[
        str | None,
        typer.Option("--format", "-f", help="csv, parquet or json; as the file ends, or csv."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--out", "-o", help="Into this file, not onto the screen.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", help="Only these, as in `runs search`.")
    ] = None,
) -> int:
    """Write one row for each record of a step, newest first: what, when, params, metrics."""
    ctx = context.current()
    if form is None:
        ending = output.suffix[1:].lower() if output is not None else ""
        form = ending if ending in FORMATS else "csv"
    if form not in FORMATS:
        raise UsageError(
            f"{form!r} is no format", code="bad-value", hint="one of: " + ", ".join(FORMATS)
        )
    if form == "parquet" and output is None:
        raise UsageError(
            "parquet is nothing for a screen", code="bad-options", hint="--out runs.parquet"
        )
    condition = parse(where) if where else lambda _facts: True
    with open_index(ctx.project().git) as index:
        rows = [_row(record) for record in query.search(index, condition, limit=-1)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = ""
    if form == "csv":
        text = _csv(rows, columns)
    elif form == "json":
        text = readable_json(rows)
    if output is not None:
        target = ctx.cwd / output
        if form == "parquet":
            _parquet(target, rows, columns)
        else:
            fsio.write_atomic(target, text)
        text = f"{count(len(rows), 'row')} in {output}\n"
    data = {"format": form, "output": output and str(output), "columns": columns, "rows": rows}
    return ctx.show(data, "mlops.runs-export/1", text.rstrip("\n"))


def _row(record: Record) -> dict[str, Any]:
    row: dict[str, Any] = {name: record[name] for name in _PLAIN}
    row |= {"record": str(record.digest), "commit": (record["code"] or {}).get("commit")}
    marks: Mapping[str, Any] = record["experiment"] or {}
    row |= {"sweep": marks.get("sweep"), "trial": marks.get("trial")}
    for field in ("params", "metrics"):
        row |= {f"{field}.{name}": value for name, value in (record[field] or {}).items()}
    return row


def _csv(rows: Iterable[Mapping[str, Any]], columns: list[str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _parquet(target: Path, rows: list[dict[str, Any]], columns: list[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def column(name: str) -> pa.Array:
        values = [row.get(name) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        if kinds <= {int, float}:
            return pa.array(values, pa.float64())
        if kinds <= {bool}:
            return pa.array(values, pa.bool_())
        return pa.array([None if value is None else str(value) for value in values], pa.string())

    buffer = io.BytesIO()
    pq.write_table(pa.table({name: column(name) for name in columns}), buffer)
    fsio.write_atomic(target, buffer.getvalue())
