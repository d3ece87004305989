"""A loopback proxy in front of a real HTTP or S3 server that does to requests what networks do.

    with faulty(s3.endpoint) as proxy:
        proxy.do("PUT packs/", "cut-upload", at=100_000)
        proxy.do("GET", "answer", status=503, code="SlowDown", times=3)
        ... use proxy.endpoint instead of s3.endpoint ...
        assert proxy.done

Signatures hold, because the Host that was signed is passed on.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Kind = Literal[
    "answer",  # answer `status` (and the S3 error `code`) without asking the server
    "cut-upload",  # the line breaks after `at` bytes of what is sent
    "cut",  # it breaks after `at` bytes of what is received
    "truncate",  # what is received ends after `at` bytes, and says that this was all
    "flip",  # one bit of byte `at` is another, on the way back
    "flip-upload",  # the same on the way there
    "delay",  # the answer comes after `seconds`
    "drop-answer",  # the server has done it, and the answer is lost
]
ALWAYS = 1 << 30


@dataclass
class Fault:
    """What happens to the next `times` requests whose method and path fit."""

    method: str
    part: str
    kind: Kind
    times: int
    status: int
    code: str
    at: int | None
    seconds: float


@dataclass
class FaultProxy:
    """What is planned, and what came by. Faults are taken in the order they were planned."""

    endpoint: str = ""
    plan: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)  # method and path
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def do(
        self,
        where: str,
        kind: Kind,
        *,
        times: int = 1,
        status: int = 500,
        code: str = "",
        at: int | None = None,
        seconds: float = 0,
    ) -> None:
        """Plan a fault for requests such as "PUT packs/", "GET", "" (all)."""
        method, _, part = where.partition(" ")
        self.plan.append(Fault(method, part, kind, times, status, code, at, seconds))

    @property
    def done(self) -> bool:
        """Whether all that was planned has happened."""
        return not self.plan

    def next(self, method: str, path: str) -> Fault | None:
        with self.lock:
            self.seen.append((method, path))
            for fault in self.plan:
                if fault.method in ("", method) and fault.part in path:
                    fault.times -= 1
                    if not fault.times:
                        self.plan.remove(fault)
                    return fault
        return None


@contextlib.contextmanager
def faulty(target: str) -> Iterator[FaultProxy]:
    """Stand between a client and the server at `target`."""
    proxy = FaultProxy()
    upstream = target.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            fault = proxy.next(self.command, self.path)
            kind = fault.kind if fault else ""
            length = int(self.headers.get("Content-Length") or 0)
            if fault and kind == "cut-upload":
                self.rfile.read(length // 2 if fault.at is None else min(fault.at, length))
                self.reset()
                return
            body = self.rfile.read(length)
            if fault and kind == "delay":
                proxy.closing.wait(fault.seconds)
            if fault and kind == "answer":
                self.answer(fault.status, {"Content-Type": "application/xml"}, error(fault))
                return
            if fault and kind == "flip-upload":
                body = flipped(body, fault.at)
            line = http.client.HTTPConnection(upstream, timeout=20)
            line.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "expect":
                    line.putheader(name, value)
            line.endheaders(body)
            response = line.getresponse()
            data = response.read()
            line.close()
            if kind == "drop-answer":
                self.reset()
                return
            headers = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in ("transfer-encoding", "connection")
            }
            end = len(data) // 2 if fault is None or fault.at is None else fault.at
            if fault and kind == "flip":
                data = flipped(data, fault.at)
            if kind == "truncate":
                data = data[:end]
            self.answer(response.status, headers, data, end=end if kind == "cut" else None)

        def answer(
            self, status: int, headers: dict[str, str], data: bytes, *, end: int | None = None
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if self.command == "HEAD" or name.lower() != "content-length":
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[:end])
            if end is not None:
                self.reset()

        def reset(self) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.wfile.flush()
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                self.connection.close()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

        def log_message(self, *words: Any) -> None: ...

        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                super().handle()

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        proxy.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def flipped(data: bytes, at: int | None) -> bytes:
    if not data:
        return data
    place = len(data) - 1 if at is None else min(at, len(data) - 1)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def error(fault: Fault) -> bytes:
    if not fault.code:
        return b""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Error><Code>{fault.code}</Code><Message>{fault.code}</Message></Error>"
    ).encode()
