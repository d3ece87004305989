"""What was asked, whichever protocol asked it: columns, request ids and event times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from mlops_cli.serving.schema import Refused
from mlops_cli.serving.tensors import Array

_LONGEST_ID = 256


@dataclass(frozen=True, slots=True)
class Call:
    """One request for predictions. `ids` and `times` (microseconds, UTC) have one entry a row."""

    request_id: str
    columns: Mapping[str, Array]
    rows: int
    ids: list[str]
    times: list[int]
    route: str | None = None  # what the split between variants goes by; request_id when None
    outputs: Mapping[str, bool] = field(default_factory=dict)  # asked outputs → as binary?
    binary: bool = False  # whether outputs that were not named come as binary


def load_json(body: bytes | memoryview) -> dict[str, Any]:
    """Return the JSON object in `body`. A name that stands twice in one object is refused."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        value = _lenient(bytes(body), exc)
    if not isinstance(value, dict):
        raise Refused("the body is not a JSON object")
    # orjson keeps the last of two equal names; fewer quotes than came in betray a lost one
    if orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).count(b'"') != bytes(body).count(b'"'):
        json.loads(bytes(body), object_pairs_hook=_unique)
    return value


def event_time(value: Any, *, now: int) -> int:
    """Return an ISO 8601 time as microseconds since 1970 in UTC; `now` when there is none."""
    if value is None:
        return now
    if not isinstance(value, str):
        raise Refused("a time is a string such as 2013-01-31T10:05:00Z")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise Refused(f"{value[:60]!r} is not a time such as 2013-01-31T10:05:00Z") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    whole = (moment - _EPOCH) // _MICROSECOND
    return int(whole)


def check_id(value: Any) -> str:
    """Return a request id, or refuse what is none."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID:
        raise Refused(f"a request id is a string of 1 to {_LONGEST_ID} characters")
    return value


def row_ids(request_id: str, rows: int) -> list[str]:
    """Return one id a row where the client gave one for the whole request."""
    return [request_id] if rows == 1 else [f"{request_id}/{row}" for row in range(rows)]


def _lenient(body: bytes, exc: Exception) -> Any:
    # Python clients write NaN for a missing number, which JSON does not know
    if b"NaN" in body:
        try:
            return json.loads(body, object_pairs_hook=_unique)
        except ValueError:
            pass
    raise Refused(f"the body is not JSON: {exc}") from exc


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(f"{twice!r} is given twice")
    return result


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = datetime(1970, 1, 1, 0, 0, 0, 1) - datetime(1970, 1, 1)
