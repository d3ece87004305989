"""The door to the network: the core under granian (RSGI), or under uvicorn (ASGI).

Run as `python -m mlops_cli.serving.http ROOT ENVIRONMENT HOST PORT WORKERS`.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mlops_cli.serving.core import Core, Request, Response, handle, too_large

_INLINE = 64 << 10  # larger bodies are answered in a thread, so that small ones need not wait


async def answer(core: Core, request: Request, pool: ThreadPoolExecutor) -> Response:
    """Return the answer to `request`, computed here or, when it is long work, in a thread."""
    if len(request.body) <= _INLINE:
        return handle(core, request)
    return await asyncio.get_running_loop().run_in_executor(pool, handle, core, request)


class Rsgi:
    """A core as granian wants it."""

    def __init__(self, core: Core, *, stop: Callable[[], None]) -> None:
        self._core = core
        self._stop = stop
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="large")

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        if scope.proto != "http":
            protocol.close(None)
            return
        core = self._core
        body: bytes | None = b""
        if scope.method not in ("GET", "HEAD"):
            body = await self._body(scope.headers.get("content-length"), protocol)
        if body is None:
            response = too_large(core)
        else:
            request = Request(scope.method, scope.path, scope.headers.get, body)
            response = (
                handle(core, request)
                if len(body) <= _INLINE
                else await answer(core, request, self._pool)
            )
        headers = [("content-type", response.content_type), *response.headers]
        protocol.response_bytes(response.status, headers, response.body)

    async def _body(self, length: str | None, protocol: Any) -> bytes | None:
        most = self._core.most_bytes
        if length is not None and length.isdecimal():
            return None if int(length) > most else await protocol()
        parts, size = [], 0
        async for part in protocol:
            size += len(part)
            if size > most:
                return None
            parts.append(bytes(part))
        return b"".join(parts)

    def __rsgi_del__(self, loop: Any) -> None:
        self._stop()


class Asgi:
    """A core as uvicorn wants it."""

    def __init__(self, core: Core, *, stop: Callable[[], None]) -> None:
        self._core = core
        self._stop = stop
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="large")

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1")
                   for name, value in scope["headers"]}  # fmt: skip
        body = await self._body(headers.get("content-length", ""), receive)
        if body is None:
            response = too_large(self._core)
        else:
            request = Request(scope["method"], scope["path"], headers.get, body)
            response = await answer(self._core, request, self._pool)
        sent = [
            (b"content-type", response.content_type.encode()),
            (b"content-length", str(len(response.body)).encode()),
            *((name.lower().encode(), value.encode()) for name, value in response.headers),
        ]
        await send({"type": "http.response.start", "status": response.status, "headers": sent})
        await send({"type": "http.response.body", "body": response.body})

    async def _body(
        self, length: str, receive: Callable[[], Awaitable[dict[str, Any]]]
    ) -> bytes | None:
        most = self._core.most_bytes
        if length.isdecimal() and int(length) > most:
            return None
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            part = message.get("body", b"")
            size += len(part)
            if size > most:
                return None
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)

    async def _lifespan(
        self,
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._stop()
        await send({"type": "lifespan.shutdown.complete"})


def load(root: str, environment: str, parent: int) -> Rsgi:
    """Return the application of one granian worker; called inside its process."""
    from mlops_cli.serving.worker import Worker

    # requests must not wait 5 ms each time for the thread that writes the log
    sys.setswitchinterval(0.0005)
    worker = Worker(Path(root), environment, parent=parent)
    return Rsgi(worker.core, stop=worker.stop)


def serve(root: str, environment: str, host: str, port: int, workers: int) -> None:
    """Serve until a signal ends the process."""
    try:
        from granian.constants import Interfaces
        from granian.server import Server
    except ImportError:
        _serve_with_uvicorn(root, environment, host, port)
        return
    loader = functools.partial(load, root, environment, os.getpid())
    server = Server(
        "mlops_cli.serving.http:load",
        host,
        port,
        interface=Interfaces.RSGI,
        workers=workers,
        websockets=False,
        log_level="warning",
        respawn_failed_workers=True,
        workers_kill_timeout=10,
        backlog=1024,
        backpressure=1024,
    )
    server.serve(target_loader=loader, wrap_loader=False)


def _serve_with_uvicorn(root: str, environment: str, host: str, port: int) -> None:
    import uvicorn

    from mlops_cli.serving.worker import Worker

    worker = Worker(Path(root), environment)
    application = Asgi(worker.core, stop=worker.stop)
    uvicorn.run(application, host=host, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
