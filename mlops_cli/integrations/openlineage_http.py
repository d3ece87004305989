"""Events sent to an OpenLineage endpoint, one after the other, over one connection."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from mlops_cli.errors import OutsideWorld, UsageError

PATH = "/api/v1/lineage"
TIMEOUT = 30.0
_SHOWN = 200  # letters of an answer that an error quotes


def endpoint(url: str) -> str:
    """Return the address that events are sent to; one without a path gets the usual one.

    Raises UsageError ("bad-url").
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise UsageError(
            f"{url!r} is no address of an OpenLineage endpoint",
            code="bad-url",
            hint="write http://HOST:5000; a key goes into OPENLINEAGE_API_KEY",
        )
    return url if parts.path not in ("", "/") else url.rstrip("/") + PATH


def send(url: str, events: Iterable[Mapping[str, Any]], *, key: str | None = None) -> int:
    """Post `events` in order and return how many; stops at the first that is not taken.

    Raises OutsideWorld ("openlineage-unreachable", "openlineage-refused") with how many were.
    """
    address = endpoint(url)
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    sent = 0
    try:
        for event in events:
            body = json.dumps(event, allow_nan=False).encode()
            try:
                connection.request("POST", target, body, headers)
                answer = connection.getresponse()
                said = answer.read(1 << 16)
            except (OSError, http.client.HTTPException) as exc:
                raise OutsideWorld(
                    f"no answer from {address}: {exc}",
                    code="openlineage-unreachable",
                    hint="the same command again: what was taken is told under the same ids",
                    details={"sent": sent},
                ) from exc
            if not 200 <= answer.status < 300:
                words = said.decode("utf-8", "replace")[:_SHOWN]
                raise OutsideWorld(
                    f"{address} answered {answer.status} {answer.reason}: {words}",
                    code="openlineage-refused",
                    hint="OPENLINEAGE_API_KEY, if it wants a key; is this an OpenLineage endpoint?",
                    details={"sent": sent, "status": answer.status},
                )
            sent += 1
    finally:
        connection.close()
    return sent
