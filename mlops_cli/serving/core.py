"""A request in bytes, its answer in bytes; which server carries them does not matter here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from mlops_cli.serving import about, metrics, protocol, rows
from mlops_cli.serving.call import Call
from mlops_cli.serving.metrics import Counters, series
from mlops_cli.serving.model import run
from mlops_cli.serving.router import Router, Variant, choose, named
from mlops_cli.serving.schema import Column, Refused, Schema
from mlops_cli.serving.tensors import Array

JSON = "application/json"
_LOG = logging.getLogger("mlops.serving")


@dataclass(frozen=True, slots=True)
class Request:
    """`header` looks a header up by its lower-case name; `path` is without the query."""

    method: str
    path: str
    header: Callable[[str], str | None]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One answered call on its way to the prediction log; the shadows have still to predict."""

    call: Call
    inputs: tuple[Column, ...]
    variant: Variant
    score: Array
    shadows: tuple[Variant, ...]
    received: int  # microseconds since 1970


@dataclass(slots=True)
class Core:
    """What one worker serves. `router` is exchanged as a whole while requests are answered."""

    counters: Counters
    log: Callable[[Entry], None]
    new_id: Callable[[], str]
    now: Callable[[], int]  # microseconds since 1970
    most_rows: int = 10_000
    most_bytes: int = 8 << 20
    router: Router | None = None
    trouble: str = "no model is loaded yet"
    counts: Callable[[], Mapping[str, float]] | None = None  # of all workers, for /metrics
    facts: Mapping[str, Any] = field(default_factory=dict)


def handle(core: Core, request: Request) -> Response:
    """Return the answer to `request`; a request that is wrong in any way gets no number."""
    start = time.perf_counter()
    path = request.path.rstrip("/") or "/"
    endpoint = "predict" if path == "/predict" else "infer" if path.endswith("/infer") else "other"
    try:
        response = _route(core, request, path)
    except Refused as exc:
        response = _error(exc.status, exc.message)
    except Exception:
        _LOG.exception("a request failed")
        response = _error(500, "the server failed; its log tells why")
    if endpoint != "other":
        core.counters.observe(endpoint, time.perf_counter() - start)
    core.counters.add(
        series("mlops_requests_total", endpoint=endpoint, status=str(response.status))
    )
    return response


def too_large(core: Core) -> Response:
    """Return the refusal of a body that nobody has read."""
    core.counters.add(series("mlops_requests_total", endpoint="other", status="413"))
    return _error(413, f"the body is larger than {core.most_bytes} bytes")


def _route(core: Core, request: Request, path: str) -> Response:
    if path == "/predict":
        return _predict(core, _posted(core, request))
    if path == "/metrics":
        return Response(200, about.exposition(core.router, _counts(core)), metrics.CONTENT_TYPE)
    if path == "/version":
        return _ok(about.version(_router(core), _counts(core), core.facts))
    if path == "/v2":
        return _ok({"name": "mlops", "version": "1", "extensions": ["binary_tensor_data"]})
    if path == "/v2/health/live":
        return _ok({"live": True})
    if path == "/v2/health/ready":
        ready = core.router is not None
        return Response(200 if ready else 503, orjson.dumps({"ready": ready}))
    if path.startswith("/v2/models/"):
        return _models(core, request, path.split("/")[3:])
    raise Refused(f"there is nothing at {path[:100]}", 404)


def _models(core: Core, request: Request, parts: list[str]) -> Response:
    router = _router(core)
    name, version, rest = parts[0], None, parts[1:]
    if rest[:1] == ["versions"] and len(rest) > 1:
        version, rest = rest[1], rest[2:]
    try:
        variant = named(router, name, version)
    except LookupError as exc:
        raise Refused(str(exc.args[0]), 404) from exc
    if rest == ["ready"]:
        return _ok({"name": name, "ready": True})
    if rest == ["infer"]:
        return _infer(core, _posted(core, request), router, variant)
    if rest:
        raise Refused(f"there is nothing at {request.path[:100]}", 404)
    schema = (variant or router.champion).model.schema
    served = {v.model.version for v in router.variants if v.model.name == name}
    return _ok(protocol.metadata(name, sorted(served), schema))


def _infer(core: Core, request: Request, router: Router, variant: Variant | None) -> Response:
    schema = (variant or router.champion).model.schema
    call = protocol.parse(
        request.body,
        request.header(protocol.LENGTH_HEADER),
        schema,
        most=core.most_rows,
        new_id=core.new_id(),
        now=core.now(),
    )
    chosen, outputs = _answer(core, router, variant, schema, call)
    model = chosen.model
    body, length = protocol.answer(call, model.name, model.version, model.schema, outputs)
    if length is None:
        return Response(200, body)
    header = ("Inference-Header-Content-Length", str(length))
    return Response(200, body, "application/octet-stream", (header,))


def _predict(core: Core, request: Request) -> Response:
    router = _router(core)
    schema = router.champion.model.schema
    call = rows.parse(
        request.body,
        schema,
        most=core.most_rows,
        new_id=core.new_id(),
        now=core.now(),
        lookup=router.lookup,
    )
    chosen, outputs = _answer(core, router, None, schema, call)
    first = outputs[chosen.model.schema.outputs[0].name]
    return Response(200, rows.answer(call, chosen.model.name, chosen.model.version, first))


def _answer(
    core: Core, router: Router, variant: Variant | None, schema: Schema, call: Call
) -> tuple[Variant, dict[str, Array]]:
    chosen = variant or choose(router, call.route or call.request_id)
    outputs = run(chosen.model, call.columns)
    score = outputs[chosen.model.schema.outputs[0].name]
    # before the answer leaves: who has read it may rely on the log
    core.log(Entry(call, schema.inputs, chosen, score, router.shadows, core.now()))
    count_rows(core.counters, chosen, call.rows)
    return chosen, outputs


def count_rows(counters: Counters, variant: Variant, amount: int) -> None:
    """Count `amount` rows that `variant` predicted."""
    model = variant.model
    counters.add(
        series(
            "mlops_predictions_total",
            model=model.name,
            version=str(model.version),
            variant=variant.role,
        ),
        amount,
    )


def _posted(core: Core, request: Request) -> Request:
    if request.method != "POST":
        raise Refused(f"{request.path[:100]} takes POST", 405)
    if len(request.body) > core.most_bytes:
        raise Refused(f"the body is larger than {core.most_bytes} bytes", 413)
    encoding = request.header("content-encoding")
    if encoding not in (None, "", "identity"):
        raise Refused(f"content-encoding {encoding!r:.40} is not supported", 415)
    return request


def _router(core: Core) -> Router:
    if core.router is None:
        raise Refused(core.trouble, 503)
    return core.router


def _counts(core: Core) -> Mapping[str, float]:
    return core.counts() if core.counts is not None else core.counters.snapshot()


def _ok(value: Any) -> Response:
    return Response(200, orjson.dumps(value))


def _error(status: int, message: str) -> Response:
    return Response(status, orjson.dumps({"error": message}))
