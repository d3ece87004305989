"""Rows sent to a server as a client would, over one connection that stays open."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlops_cli.errors import OutsideWorld
from mlops_cli.progress import SILENT, Progress

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1000  # in one request


def send(
    url: str,
    rows: pa.Table,
    *,
    inputs: list[str],
    request_ids: list[str],
    times: list[str],
    progress: Progress = SILENT,
) -> list[float]:
    """Return the answer to each of `rows`, in order; `times` are event times, ISO 8601 UTC.

    A missing number is sent as null. Raises OutsideWorld ("server-unreachable",
    "request-refused") at the first request that is not answered by 200.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    answers: list[float] = []
    try:
        with progress.task("requests", total=rows.num_rows, unit="rows") as task:
            for at in range(0, rows.num_rows, ROWS):
                body = {
                    "rows": rows.select(inputs).slice(at, ROWS).to_pylist(),
                    "request_ids": request_ids[at : at + ROWS],
                    "times": times[at : at + ROWS],
                }
                answers += _post(connection, url, body)
                task.advance(min(ROWS, rows.num_rows - at))
    finally:
        connection.close()
    return answers


def _post(connection: http.client.HTTPConnection, url: str, body: Any) -> list[float]:
    try:
        data = json.dumps(body, allow_nan=False, default=str).encode()
        connection.request("POST", "/predict", data, {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as exc:
        raise OutsideWorld(
            f"no answer from {url}: {exc}", code="server-unreachable", hint="mlops deploy status"
        ) from exc
    value = json.loads(text)
    if answer.status != 200:
        raise OutsideWorld(
            f"the server answered {answer.status}: {value.get('error')}",
            code="request-refused",
            hint="mlops deploy logs",
        )
    predictions: list[float] = value["predictions"]
    return predictions
