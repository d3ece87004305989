"""A real web server on loopback for the tests, with ETag, Range and If-Range, and with faults."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

FIRST = "Tue, 01 Jan 2013 00:00:00 GMT"


@dataclass
class Web:
    """What the server has and how it behaves; `asked` is what it was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    modified: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range
    etags: bool = True
    ranges: bool = True
    head: bool = True
    statuses: list[int] = field(default_factory=list)  # the next answers are these errors
    cut: list[int] = field(default_factory=list)  # the next bodies end after so many bytes
    before: Callable[[], None] | None = None  # called once, before the next answer
    redirect: str = ""

    def of(self, path: str, data: bytes, modified: str = FIRST) -> str:
        """Offer `data` at `path` and return its URL."""
        self.files[path] = data
        self.modified[path] = modified
        return f"{self.url}/{path}"

    def etag(self, data: bytes) -> str:
        return f'"{hashlib.md5(data).hexdigest()}"'


@pytest.fixture
def web() -> Iterator[Web]:
    """Start the server for one test."""
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, state, body=True)

        def do_HEAD(self) -> None:
            _answer(self, state, body=False)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def _answer(to: BaseHTTPRequestHandler, web: Web, *, body: bool) -> None:
    if web.before is not None:
        before, web.before = web.before, None
        before()
    path, asked = to.path.lstrip("/").partition("?")[0], to.headers.get("Range", "")
    web.asked.append((to.command, path, asked))
    data = web.files.get(path)
    if web.redirect:
        to.send_response(302)
        to.send_header("Location", web.redirect)
        to.end_headers()
        return
    status = web.statuses.pop(0) if web.statuses else 0 if data is not None else 404
    if not body and not web.head:
        status = 405
    if status or data is None:
        to.send_response(status)
        to.send_header("Content-Length", "0")
        to.end_headers()
        return
    same = to.headers.get("If-Range") in (None, web.etag(data), web.modified[path])
    start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked and web.ranges else 0
    part = bool(asked) and web.ranges and same
    if part and start >= len(data):
        to.send_response(416)
        to.send_header("Content-Length", "0")
        to.end_headers()
        return
    sent = data[start:] if part else data
    to.send_response(206 if part else 200)
    if part:
        to.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    to.send_header("Content-Length", str(len(sent)))
    to.send_header("Last-Modified", web.modified[path])
    if web.etags:
        to.send_header("ETag", web.etag(data))
    to.end_headers()
    if body:
        to.wfile.write(sent[: web.cut.pop(0)] if web.cut else sent)
