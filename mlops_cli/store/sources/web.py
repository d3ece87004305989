"""A file on the web: looked at with HEAD, streamed with GET, gone on with Range and If-Range."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlops_cli.errors import MlopsError, NotFound, OutsideWorld
from mlops_cli.store.sources.source import Broken, Stream, Version

BLOCK = 1 << 20
TIMEOUT = 60.0  # seconds in which something has to come
LONGEST_WAIT = 60.0  # that a server may ask for
_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_NO_HEAD = (403, 405, 501)


@dataclass(frozen=True, slots=True)
class Web:
    """One URL of http or https."""

    url: str

    def look(self) -> Version:
        """Return what the server says it has."""
        try:
            with self._ask("HEAD", {}) as answer:
                return _version(answer)
        except urllib.error.HTTPError as exc:
            if exc.code not in _NO_HEAD:
                raise self._explain(exc) from exc
        try:
            with self._ask("GET", {}) as answer:  # its body is left where it is
                return _version(answer)
        except urllib.error.HTTPError as exc:
            raise self._explain(exc) from exc

    def stream(self, start: int, noted: Version | None) -> Stream:
        """Return the bytes; the server decides whether `start` still means the same file."""
        headers = {}
        if start and noted is not None and (mark := _strong(noted)):
            headers = {"Range": f"bytes={start}-", "If-Range": mark}
        try:
            answer = self._ask("GET", headers)
        except urllib.error.HTTPError as exc:
            if exc.code == 416 and headers:  # it has become shorter
                return self.stream(0, None)
            raise self._explain(exc) from exc
        version = _version(answer)
        if answer.status != 206:
            return Stream(version, 0, self._blocks(answer))
        begun, total = _range(answer.headers.get("Content-Range", ""))
        if begun != start:
            answer.close()
            return self.stream(0, None)
        found = Version(version.etag, version.version, version.modified, total)
        return Stream(found, start, self._blocks(answer))

    def _ask(self, method: str, headers: dict[str, str]) -> Any:
        asked = urllib.request.Request(
            self.url,
            method=method,
            headers={"User-Agent": "mlops", "Accept-Encoding": "identity", **headers},
        )
        try:
            return _opener().open(asked, timeout=TIMEOUT)
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as exc:
            raise Broken(self._unavailable(exc)) from exc

    def _blocks(self, answer: Any) -> Iterator[bytes]:
        with answer:
            while True:
                try:
                    block = answer.read(BLOCK)
                except (OSError, http.client.HTTPException) as exc:
                    raise Broken(self._unavailable(exc)) from exc
                if not block:
                    return
                yield block

    def _explain(self, exc: urllib.error.HTTPError) -> MlopsError | Broken:
        exc.close()
        details = {"url": self.url, "status": exc.code}
        if exc.code in (404, 410):
            return NotFound(
                f"there is nothing at {self.url} ({exc.code})",
                code="missing-source",
                hint="correct the URL, or ask where the data went",
                details=details,
            )
        if exc.code in (401, 403, 407):
            return OutsideWorld(
                f"{self.url} refuses ({exc.code} {exc.reason})",
                code="source-denied",
                hint="fetch it with a tool that can sign in, then mlops add it",
                details=details,
            )
        error = OutsideWorld(
            f"{self.url} answers {exc.code} {exc.reason}",
            code="source-unavailable",
            hint="run the same command again later; it goes on where it ended",
            details=details,
        )
        if exc.code not in _AGAIN:
            return error
        wait = exc.headers.get("Retry-After", "")
        return Broken(error, after=min(float(wait), LONGEST_WAIT) if wait.isdigit() else None)

    def _unavailable(self, exc: Exception) -> OutsideWorld:
        reason = getattr(exc, "reason", None) or exc
        return OutsideWorld(
            f"{self.url} does not answer as it should: {reason}",
            code="source-unavailable",
            hint="check network and URL and run the same command again; it goes on where it ended",
            details={"url": self.url, "said": f"{type(exc).__name__}: {exc}"[:500]},
        )


def _opener() -> urllib.request.OpenerDirector:
    # not the default one, which would follow a redirection to ftp://
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _version(answer: Any) -> Version:
    length = answer.headers.get("Content-Length", "")
    return Version(
        etag=answer.headers.get("ETag"),
        modified=answer.headers.get("Last-Modified"),
        size=int(length) if length.isdigit() else None,
    )


def _strong(noted: Version) -> str | None:
    if noted.etag and not noted.etag.startswith("W/"):
        return noted.etag
    return noted.modified if not noted.etag else None


def _range(text: str) -> tuple[int, int | None]:
    """Return where a part begins and how long the whole is: "bytes 10-19/20"."""
    places, _, total = text.removeprefix("bytes ").partition("/")
    begun = places.partition("-")[0]
    return int(begun) if begun.isdigit() else -1, int(total) if total.isdigit() else None
