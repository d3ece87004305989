"""One child process in a group of its own: started, its words logged, ended for sure."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

TAIL = 20  # last lines of a log that an error shows
LINGER = 0.5  # seconds that processes left by a step may hold its output open
GRACE = 5.0  # seconds between the request to end and the end


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended; a negative `code` is the signal that ended it."""

    code: int
    seconds: float
    timed_out: bool
    tail: tuple[str, ...]


@dataclass(slots=True)
class Groups:
    """The process groups that run now, so that an interrupt can end all of them."""

    stopping: bool = False
    _running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        log: Path,
        clock: Callable[[], datetime],
        timeout: float | None = None,
    ) -> Ended:
        """Run a command to its end; stdout and stderr go to `log`, a time before each line."""
        import subprocess

        began = time.monotonic()
        with self._lock:
            if self.stopping:
                return Ended(-signal.SIGTERM, 0.0, False, ())
            child = subprocess.Popen(
                arguments,
                cwd=cwd,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
            self._running[child.pid] = child
        try:
            timed_out, tail = _pump(child, log, clock, began + timeout if timeout else None)
            code = child.wait()
        finally:
            with self._lock:
                del self._running[child.pid]
        return Ended(code, time.monotonic() - began, timed_out, tail)

    def stop(self) -> None:
        """End all groups: ask, wait up to GRACE seconds, then insist."""
        with self._lock:
            self.stopping = True
            running = list(self._running.values())
        for child in running:
            _signal(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while any(child.poll() is None for child in running) and time.monotonic() < deadline:
            time.sleep(0.02)
        for child in running:
            _signal(child.pid, signal.SIGKILL)


def _pump(
    child: subprocess.Popen[bytes],
    log: Path,
    clock: Callable[[], datetime],
    deadline: float | None,
) -> tuple[bool, tuple[str, ...]]:
    assert child.stdout is not None
    tail: deque[str] = deque(maxlen=TAIL)
    rest = b""
    timed_out = False
    died: float | None = None
    with child.stdout as stream, open(log, "ab", buffering=0) as file:
        handle = stream.fileno()
        poll = select.poll()
        poll.register(handle, select.POLLIN | select.POLLHUP)
        while True:
            if not poll.poll(_pause(deadline) * 1000):
                now = time.monotonic()
                if deadline is not None and now >= deadline and not timed_out:
                    timed_out = True
                    _end(child)
                elif died is None and child.poll() is not None:
                    died = now
                elif died is not None and now - died > LINGER:
                    _signal(child.pid, signal.SIGKILL)  # what the step left behind ends with it
                    break
                continue
            chunk = os.read(handle, 1 << 16)
            if not chunk:
                break
            stamp = clock().isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
            *lines, rest = (rest + chunk).split(b"\n")
            if lines:
                file.write(b"".join(stamp + b" " + line + b"\n" for line in lines))
                tail += [line.decode(errors="replace") for line in lines[-TAIL:]]
        if rest:
            file.write(clock().isoformat(timespec="milliseconds").encode() + b" " + rest + b"\n")
            tail.append(rest.decode(errors="replace"))
    return timed_out, tuple(tail)


def _pause(deadline: float | None) -> float:
    left = 0.25 if deadline is None else deadline - time.monotonic()
    return min(0.25, max(0.01, left))


def _end(child: subprocess.Popen[bytes]) -> None:
    _signal(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    _signal(child.pid, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
