"""The life of one worker: load what is desired, watch for another wish, exchange without a gap."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlops_cli import fsio, plugins
from mlops_cli.encode import readable_json
from mlops_cli.errors import MlopsError
from mlops_cli.serving import desired as wishes
from mlops_cli.serving import logfiles, lookup, processes
from mlops_cli.serving.core import Core
from mlops_cli.serving.desired import Desired
from mlops_cli.serving.logbatch import Policy
from mlops_cli.serving.logwriter import LogWriter
from mlops_cli.serving.metrics import Counters, add_up
from mlops_cli.serving.model import Model, open_model
from mlops_cli.serving.router import Router, Variant, check

_TICK = 0.02
_REPORT_EVERY = 1.0
_LOG = logging.getLogger("mlops.serving")


class Worker:
    """One process that serves an environment. Everything slow happens in its watching thread."""

    def __init__(self, root: Path, environment: str, *, parent: int | None = None) -> None:
        self._root = root
        self._place = wishes.folder(root, environment)
        self._parent = parent
        self._state = self._place / "workers" / f"{os.getpid()}.json"
        self._seen: dict[str, Any] = {}
        self._sealed = ""
        self._trouble: dict[str, str] | None = None
        self._models: dict[str, Model] = {}
        self._stores: dict[str, Any] = {}
        self._stopping = threading.Event()
        self._reported: tuple[float, Any] = (0.0, None)
        counters = Counters()
        self._log = LogWriter(
            logfiles.folder(root, environment),
            counters,
            writer=f"{os.getpid()}-{processes.born(os.getpid())}-{time.time_ns()}",
        )
        self.core = Core(
            counters,
            self._log.put,
            new_id=lambda: secrets.token_hex(12),
            now=lambda: time.time_ns() // 1000,
            counts=self._all_counts,
            facts={"pid": os.getpid()},
        )
        self._seen["desired.json"] = _stamp(self._place / "desired.json")
        self._exchange(wishes.read(self._place))
        self._report(force=True)
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write the rest of the prediction log; requests that still come are not logged."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._log.close()
            self._report(force=True)

    def _watch(self) -> None:
        while not self._stopping.wait(_TICK):
            try:
                if self._changed("desired.json"):
                    self._exchange(wishes.read(self._place))
                    self._report(force=True)
                if self._changed("seal"):
                    self._seal()
                self._report()
            except Exception:
                _LOG.exception("the watch failed")
            if self._parent is not None and os.getppid() != self._parent:
                # the process that started us was killed; nobody would ever stop us
                self.stop()
                os._exit(1)

    def _exchange(self, desired: Desired | None) -> None:
        """Load what is not loaded yet, then let one reference point to the new router."""
        if desired is None:
            self.core.trouble = "nothing is deployed"
            return
        try:
            loaded = {
                item.digest: self._models.get(f"{item.version} {item.bundle}")
                or open_model(
                    self._root / item.folder,
                    name=item.model,
                    version=item.version,
                    digest=item.digest,
                    bundle=item.bundle,
                )
                for item in desired.models
            }
            router = self._with_features(route(desired, loaded), desired)
            check(router)
        except MlopsError as exc:
            self._trouble = {
                "generation": desired.generation,
                "code": exc.code,
                "message": exc.message,
            }
            self.core.trouble = exc.message
            _LOG.warning("not exchanged: %s [%s]", exc.message, exc.code)
            return
        self._models = {f"{m.version} {m.bundle}": m for m in loaded.values()}
        key = _secret(self._root / ".mlops" / "serving" / "pii.key") if desired.pii else b""
        self._log.policy = Policy(desired.sample, desired.pii, key)
        self.core.most_rows, self.core.most_bytes = desired.rows, desired.body
        self.core.router = router
        self._trouble = None
        self.core.counters.add("mlops_swaps_total")

    def _with_features(self, router: Router, desired: Desired) -> Router:
        """Return the router with a look-up of features, where there shall be one."""
        wanted = desired.features
        if wanted is None:
            return router
        store = self._stores.get(wanted.store)
        if store is None:
            store = plugins.load("mlops.online_stores", wanted.store)(self._root)
            self._stores[wanted.store] = store
        inputs = router.champion.model.schema.names
        return replace(router, lookup=lookup.of(wanted, store, inputs, self.core.counters))

    def _seal(self) -> None:
        token = (self._place / "seal").read_text().strip()
        if self._log.rotate():
            self._sealed = token
            self._report(force=True)

    def _report(self, *, force: bool = False) -> None:
        router = self.core.router
        at, last = self._reported
        if not force and time.monotonic() - at < _REPORT_EVERY:
            return
        state = {
            "pid": os.getpid(),
            "born": processes.born(os.getpid()),
            "generation": router.generation if router else None,
            "sealed": self._sealed,
            "trouble": self._trouble,
            "counts": self.core.counters.snapshot(),
        }
        if state != last:
            fsio.write_atomic(self._state, readable_json(state), durable=False)
        self._reported = (time.monotonic(), state)

    def _changed(self, name: str) -> bool:
        stamp = _stamp(self._place / name)
        if stamp == self._seen.get(name):
            return False
        self._seen[name] = stamp
        return stamp is not None

    def _all_counts(self) -> Mapping[str, float]:
        others = (
            wishes.read_small(path) or {}
            for path in self._state.parent.glob("*.json")
            if path != self._state
        )
        return add_up([self.core.counters.snapshot(), *(s.get("counts", {}) for s in others)])


def route(desired: Desired, models: Mapping[str, Model]) -> Router:
    """Return the router that `desired` describes; `models` by digest."""
    variants = [
        Variant(item.role, models[item.digest], item.share)  # type: ignore[arg-type]
        for item in desired.models
    ]
    return Router(
        desired.environment,
        desired.generation,
        desired.since,
        variants[0],
        tuple(item for item in variants[1:] if item.role == "canary"),
        tuple(item for item in variants[1:] if item.role == "shadow"),
    )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size)


def _secret(path: Path) -> bytes:
    """Return the key under which personal values are hashed; it never leaves this clone."""
    if not path.exists():
        fsio.write_atomic(path, secrets.token_bytes(32), mode=0o600)
    return path.read_bytes()
