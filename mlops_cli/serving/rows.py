"""Rows of named values: `POST /predict {"rows": [{…}]}` in, `{"predictions": […]}` out."""

from __future__ import annotations

from typing import Any

import orjson

from mlops_cli.serving import call as calls
from mlops_cli.serving.call import Call
from mlops_cli.serving.lookup import Lookup
from mlops_cli.serving.schema import Refused, Schema, check_names
from mlops_cli.serving.tensors import Array, from_values

_KNOWN = frozenset({"rows", "request_id", "request_ids", "time", "times", "route"})
_EXTRA = frozenset({"request_id", "time"})  # may stand inside a row, unless an input is called so


def parse(
    body: bytes,
    schema: Schema,
    *,
    most: int,
    new_id: str,
    now: int,
    lookup: Lookup | None = None,
) -> Call:
    """Return the call in `body`; `new_id` and `now` (microseconds) stand in where none is given.

    With `lookup` a row may leave out features that can be looked up by its keys.
    """
    request = calls.load_json(body)
    unknown = sorted(request.keys() - _KNOWN)
    if unknown:
        raise Refused(f"unknown field {unknown[0]!r}; known: {', '.join(sorted(_KNOWN))}")
    rows = request.get("rows")
    if not isinstance(rows, list) or not rows:
        raise Refused("'rows' is a list of at least one object with a value for every input")
    if len(rows) > most:
        raise Refused(f"{len(rows)} rows in one request; the limit is {most}")
    extras = _EXTRA - schema.names
    ids, inside = _lift(rows, extras)
    times = _times(request, inside, len(rows), now)
    if lookup is not None:
        for at, row in enumerate(rows):
            if not isinstance(row, dict):
                raise Refused(f"row {at} is not an object")
        lookup.complete(rows, times)
    _check_rows(rows, schema)
    columns = {
        column.name: from_values(column, [row[column.name] for row in rows])
        for column in schema.inputs
    }
    request_id = calls.check_id(request["request_id"]) if "request_id" in request else new_id
    route = request.get("route")
    return Call(
        request_id,
        columns,
        len(rows),
        _ids(request, ids, request_id, len(rows)),
        times,
        calls.check_id(route) if route is not None else None,
    )


def answer(call: Call, name: str, version: int, output: Array) -> bytes:
    """Return the body that answers `call` with `output`."""
    values = output.reshape(len(output)) if output.size == len(output) else output
    return orjson.dumps(
        {
            "predictions": _plain(values),
            "model": name,
            "version": version,
            "request_id": call.request_id,
            "request_ids": call.ids,
        }
    )


def _plain(values: Array) -> list[Any]:
    return [
        item.decode() if isinstance(item, bytes) else item
        for item in (values.tolist() if values.ndim == 1 else list(values.tolist()))
    ]


def _check_rows(rows: list[Any], schema: Schema) -> None:
    names = schema.names
    for at, row in enumerate(rows):
        if not isinstance(row, dict):
            raise Refused(f"row {at} is not an object")
        if row.keys() != names:
            check_names(schema, row, f"row {at}: ")


def _lift(rows: list[Any], extras: frozenset[str]) -> tuple[list[Any], list[Any]]:
    """Take request id and time out of the rows, so that only inputs remain."""
    found: dict[str, list[Any]] = {"request_id": [], "time": []}
    for name in extras:
        if any(isinstance(row, dict) and name in row for row in rows):
            found[name] = [row.pop(name, None) if isinstance(row, dict) else None for row in rows]
    return found["request_id"], found["time"]


def _ids(request: dict[str, Any], inside: list[Any], request_id: str, rows: int) -> list[str]:
    given = request.get("request_ids", inside)
    if not given:
        return calls.row_ids(request_id, rows)
    if not isinstance(given, list) or len(given) != rows:
        raise Refused(f"'request_ids' is a list of {rows} strings, one a row")
    made = calls.row_ids(request_id, rows)
    return [made[at] if item is None else calls.check_id(item) for at, item in enumerate(given)]


def _times(request: dict[str, Any], inside: list[Any], rows: int, now: int) -> list[int]:
    given = request.get("times", inside)
    if given and (not isinstance(given, list) or len(given) != rows):
        raise Refused(f"'times' is a list of {rows} strings, one a row")
    whole = calls.event_time(request.get("time"), now=now)
    if not given:
        return [whole] * rows
    return [calls.event_time(item, now=whole) for item in given]
