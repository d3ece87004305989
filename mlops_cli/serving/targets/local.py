"""A detached process on this machine that serves one environment of this project."""

from __future__ import annotations

import http.client
import importlib.util
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.encode import readable_json
from mlops_cli.errors import MissingExtra, OutsideWorld, StateRefused
from mlops_cli.serving import client, metrics, processes
from mlops_cli.serving import desired as wishes
from mlops_cli.serving.desired import Desired
from mlops_cli.serving.target import Running, Worker

_LOG_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class LocalTarget:
    """Servers under `.mlops/serving` of the project at `root`."""

    root: Path

    def look(self, environment: str) -> Running:
        place = wishes.folder(self.root, environment)
        desired = wishes.read(place)
        state = wishes.read_small(place / "server.json")
        if state is None:
            return Running("stopped", desired=desired)
        known = {"pid": state["pid"], "url": state["url"], "started": state["started"]}
        told = metrics.add_up(worker.counts for worker in _workers(place, only_alive=False))
        requests = metrics.asked(told)
        if not processes.alive(state["pid"], state["born"]):
            return Running("died", desired=desired, requests=requests, **known)
        answer = _version(state["url"])
        requests = max(requests, answer.get("requests", 0) if answer else 0)
        return Running("running", desired=desired, answer=answer, requests=requests, **known)

    def apply(self, desired: Desired, *, now: str, wait: float) -> Running:
        place = wishes.folder(self.root, desired.environment)
        former = wishes.read(place)
        present = self.look(desired.environment)
        if present.state == "running" and former is not None and _restart(former, desired):
            self.stop(desired.environment, wait=wait)
            present = self.look(desired.environment)
        if present.state == "running":
            wishes.write(place, desired)
        else:
            self._start(place, desired, now)
        try:
            return self._wait(place, desired, wait)
        except Exception:
            self._restore(place, former, started=present.state != "running")
            raise

    def stop(self, environment: str, *, wait: float) -> bool:
        place = wishes.folder(self.root, environment)
        state = wishes.read_small(place / "server.json")
        if state is None:
            return False
        ended = processes.end(state["pid"], state["born"], wait=wait)
        for worker in _workers(place):  # of a master that was killed; they leave on their own
            processes.gone(worker.pid, wait=wait)
        (place / "server.json").unlink(missing_ok=True)
        return ended

    def seal(self, environment: str, *, wait: float) -> None:
        place = wishes.folder(self.root, environment)
        if self.look(environment).state != "running":
            for worker in _workers(place):  # it seals its log when it misses its master
                processes.gone(worker.pid, wait=wait)
            return
        token = secrets.token_hex(8)
        fsio.write_atomic(place / "seal", token, durable=False)
        deadline = time.monotonic() + wait
        while any(worker.sealed != token for worker in _workers(place)):
            if time.monotonic() > deadline:
                raise OutsideWorld(
                    f"the server of {environment} did not seal its prediction log in {wait:g} s",
                    code="seal-timeout",
                    hint=f"mlops deploy logs {environment}",
                )
            time.sleep(0.01)

    def tail(self, environment: str, lines: int) -> Sequence[str]:
        path = wishes.folder(self.root, environment) / "server.log"
        try:
            return path.read_text(errors="replace").splitlines()[-lines:]
        except FileNotFoundError:
            return []

    def _start(self, place: Path, desired: Desired, now: str) -> None:
        _check_extras()
        port = _free_port(desired)
        place.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(place / "workers", ignore_errors=True)
        wishes.write(place, desired)
        pid = self._spawn(place, desired, port)
        host = f"[{desired.host}]" if ":" in desired.host else desired.host
        state = {
            "pid": pid,
            "born": processes.born(pid),
            "url": f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}",
            "started": now,
        }
        fsio.write_atomic(place / "server.json", readable_json(state))

    def _spawn(self, place: Path, desired: Desired, port: int) -> int:
        log = place / "server.log"
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(place / "server.log.1")
        # -P: a file of the person named json.py must not be imported instead of ours
        words = [sys.executable, "-P", "-m", "mlops_cli.serving.http", str(self.root.resolve())]
        words += [desired.environment, desired.host, str(port), str(desired.workers)]
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions: list[tuple[Any, ...]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        return os.posix_spawn(sys.executable, words, os.environ, file_actions=actions, setsid=True)

    def _wait(self, place: Path, desired: Desired, wait: float) -> Running:
        """Return when every worker and the answer over HTTP are of this generation."""
        deadline = time.monotonic() + wait
        wanted = desired.workers if importlib.util.find_spec("granian") else 1
        while True:
            workers = _workers(place)
            for worker in workers:
                trouble = worker.trouble
                if trouble is not None and trouble["generation"] == desired.generation:
                    raise StateRefused(
                        f"the server refused the models: {trouble['message']}",
                        code=trouble["code"],
                        hint=f"mlops deploy logs {desired.environment}",
                    )
            ready = [worker for worker in workers if worker.generation == desired.generation]
            if len(ready) == len(workers) >= wanted:
                seen = self.look(desired.environment)
                if seen.answer and seen.answer.get("generation") == desired.generation:
                    return seen
            if self.look(desired.environment).state != "running":
                raise self._failed(desired, "ended at once", "server-died")
            if time.monotonic() > deadline:
                raise self._failed(desired, f"did not answer within {wait:g} s", "server-silent")
            time.sleep(0.02)

    def _failed(self, desired: Desired, what: str, code: str) -> OutsideWorld:
        tail = list(self.tail(desired.environment, 20))
        said = f"; it said: {tail[-1].strip()[:200]}" if tail else ""
        return OutsideWorld(
            f"the server of {desired.environment} {what}{said}",
            code=code,
            hint=f"mlops deploy logs {desired.environment}",
            details={"log": tail},
        )

    def _restore(self, place: Path, former: Desired | None, *, started: bool) -> None:
        """After a failure: what served before goes on serving, what never served is ended."""
        if started:
            self.stop(place.name, wait=5.0)
        if former is not None:
            wishes.write(place, former)
        else:
            (place / "desired.json").unlink(missing_ok=True)


def _restart(former: Desired, desired: Desired) -> bool:
    return (former.host, former.port, former.workers) != (
        desired.host,
        desired.port,
        desired.workers,
    )


def _workers(place: Path, *, only_alive: bool = True) -> list[Worker]:
    found = []
    for path in sorted((place / "workers").glob("*.json")):
        state = wishes.read_small(path)
        if state is None or (only_alive and not processes.alive(state["pid"], state["born"])):
            continue
        found.append(
            Worker(
                state["pid"],
                state["generation"],
                state["sealed"],
                state["trouble"],
                state["counts"],
            )
        )
    return found


def _version(url: str) -> Any:
    try:
        status, answer = client.ask(url, "/version", timeout=2.0)
    except (OSError, http.client.HTTPException):
        return None
    return answer if status == 200 else None


def _check_extras() -> None:
    if not any(importlib.util.find_spec(name) for name in ("granian", "uvicorn")):
        raise MissingExtra.of("granian", "serve")
    for name in ("orjson", "numpy", "onnxruntime"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtra.of(name, "serve")


def _free_port(desired: Desired) -> int:
    """Return the port to serve at; several of granian's workers would share one unnoticed."""
    family = socket.AF_INET6 if ":" in desired.host else socket.AF_INET
    try:
        with socket.create_server((desired.host, desired.port), family=family) as probe:
            port: int = probe.getsockname()[1]
            return port
    except OSError as exc:
        raise OutsideWorld(
            f"cannot serve at {desired.host}:{desired.port}: {exc.strerror or exc}",
            code="port-in-use" if exc.errno == 98 else "cannot-listen",
            hint="choose another `target.port` in pipeline.yaml; 0 takes any free one",
            details={"host": desired.host, "port": desired.port},
        ) from exc
