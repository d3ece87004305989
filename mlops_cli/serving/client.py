"""Questions to a server that runs, over plain HTTP."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from mlops_cli.errors import OutsideWorld, StateRefused


def ask(url: str, path: str, body: Any = None, *, timeout: float = 5.0) -> tuple[int, Any]:
    """Return the status and the JSON that `path` of the server at `url` answers.

    A body is posted as JSON. Raises OSError or http.client.HTTPException when no answer comes.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        if body is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    try:
        return answer.status, json.loads(data)
    except ValueError:
        return answer.status, None


def demand(url: str, path: str, body: Any = None, *, timeout: float = 30.0) -> Any:
    """Return what the server answers, or say why there is no answer.

    Raises OutsideWorld ("server-unreachable"), StateRefused ("request-refused").
    """
    try:
        status, value = ask(url, path, body, timeout=timeout)
    except (OSError, http.client.HTTPException) as exc:
        raise OutsideWorld(
            f"no answer from {url}: {exc}",
            code="server-unreachable",
            hint="mlops deploy status",
        ) from exc
    if status == 200:
        return value
    message = value.get("error") if isinstance(value, dict) else None
    kind = OutsideWorld if status >= 500 else StateRefused
    raise kind(
        f"the server refused the request: {message or f'status {status}'}",
        code="request-refused",
        hint="the inputs and their types: GET /v2/models/<model>",
        details={"status": status, "url": url + path},
    )
