"""The REST API of an MLflow server, as far as an export needs it: JSON over http.client."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlencode, urlsplit

from mlops_cli.errors import NotFound, OutsideWorld, UsageError

API = "/api/2.0/mlflow"
TIMEOUT = 60.0
_MOST = 64 << 20  # bytes of an answer
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Server:
    """A server at a URL; each request is a connection of its own, so that none goes stale."""

    scheme: str
    host: str
    port: int | None
    base: str
    headers: Mapping[str, str]

    @property
    def url(self) -> str:
        """The address without credentials."""
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{self.host}{port}{self.base}"

    def get(self, path: str, **query: Any) -> Any:
        """Return what the server answers."""
        return self._json("GET", f"{API}/{path}?{urlencode(query)}", None)

    def post(self, path: str, **body: Any) -> Any:
        """Send `body` and return what the server answers."""
        return self._json("POST", f"{API}/{path}", json.dumps(body).encode())

    def put_artifact(self, path: str, stream: BinaryIO, size: int) -> None:
        """Upload one artifact to the place that an `mlflow-artifacts:` URI names."""
        target = f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._ask("PUT", target, stream, headers)

    def pages(self, path: str, key: str, **body: Any) -> Iterator[Any]:
        """Yield all that a search finds, page after page."""
        token: str | None = None
        while True:
            more = {"page_token": token} if token else {}
            answer = self.post(path, max_results=_PAGE, **body, **more)
            yield from answer.get(key, ())
            token = answer.get("next_page_token")
            if not token:
                return

    def _json(self, method: str, path: str, body: bytes | None) -> Any:
        data = self._ask(method, path, body, {"Content-Type": "application/json"})
        try:
            said = json.loads(data or b"{}", object_hook=lambda pairs: _Said(self, pairs))
        except (ValueError, RecursionError) as exc:
            raise self.unlike("it does not answer in JSON") from exc
        if not isinstance(said, _Said):
            raise self.unlike("its answer is no object")
        return said

    def _ask(
        self, method: str, path: str, body: bytes | BinaryIO | None, headers: Mapping[str, str]
    ) -> bytes:
        secure = self.scheme == "https"
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(
                self.host, self.port, timeout=TIMEOUT, context=ssl.create_default_context()
            )
            if secure
            else http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)
        )
        try:
            connection.request(method, self.base + path, body, {**self.headers, **headers})
            answer = connection.getresponse()
            data = answer.read(_MOST)
        except (OSError, http.client.HTTPException) as exc:
            raise OutsideWorld(
                f"{self.url} cannot be reached: {exc}",
                code="mlflow-unreachable",
                hint="mlflow server --host 127.0.0.1; is the address right?",
            ) from exc
        finally:
            connection.close()
        if answer.status >= 400:
            raise self._refusal(answer.status, data)
        return data

    def _refusal(self, status: int, data: bytes) -> OutsideWorld | NotFound:
        code, message = "", ""
        try:
            said = json.loads(data)
            code, message = str(said.get("error_code", "")), str(said.get("message", ""))
        except (ValueError, AttributeError, RecursionError):
            pass
        if code == "RESOURCE_DOES_NOT_EXIST":
            return NotFound(message, code="unknown-there", hint=self.url)
        return OutsideWorld(
            f"{self.url} refused ({status}): {message[:500] or 'without a word'}",
            code="mlflow-refused",
            hint="MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN"
            if status in (401, 403)
            else "the server's own log says more",
            details={"status": status, "error_code": code},
        )

    def unlike(self, why: str) -> OutsideWorld:
        """Return the error for an answer that MLflow does not give."""
        return OutsideWorld(
            f"{self.url} is no MLflow server: {why}",
            code="mlflow-refused",
            hint="mlops export mlflow http://127.0.0.1:5000",
        )


class _Said(dict[str, Any]):
    """An object of an answer; the word that it lacks is the server's fault, not ours."""

    def __init__(self, server: Server, pairs: Mapping[str, Any]) -> None:
        super().__init__(pairs)
        self.server = server

    def __missing__(self, key: str) -> Any:
        raise self.server.unlike(f"its answer has no {key}")


def connect(url: str, environment: Mapping[str, str]) -> Server:
    """Return the server at `url`; who asks is told by the URL or by MLflow's own variables.

    Raises UsageError ("bad-url").
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"{url.rpartition('@')[2]!r} is no address of a server",
            code="bad-url",
            hint="mlops export mlflow http://127.0.0.1:5000",
        )
    user = unquote(parts.username or "") or environment.get("MLFLOW_TRACKING_USERNAME", "")
    word = unquote(parts.password or "") or environment.get("MLFLOW_TRACKING_PASSWORD", "")
    headers: dict[str, str] = {}
    if token := environment.get("MLFLOW_TRACKING_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    elif user:
        pair = base64.b64encode(f"{user}:{word}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    return Server(parts.scheme, parts.hostname, parts.port, parts.path.rstrip("/"), headers)
