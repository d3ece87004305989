"""One child process in a group of its own: started, its words logged, ended for sure."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import subprocess

    from mlops_cli.pipeline.attempts.warm import Forked, Warm

TAIL = 20  # last lines of a log that an error shows
LINGER = 0.5  # seconds that processes left by a step may hold its output open
GRACE = 5.0  # seconds between the request to end and the end


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended; a negative `code` is the signal that ended it."""

    code: int
    seconds: float
    timed_out: bool
    tail: tuple[str, ...] = ()
    left: tuple[str, ...] = ()  # processes that outlived it and were ended
    beside: tuple[str, ...] = ()  # what it touched in a sandbox that it did not declare


@dataclass(slots=True)
class Groups:
    """The process groups that run now, so that an interrupt can end all of them."""

    stopping: bool = False
    warm: Warm | None = None  # forks the workers of Python steps, where it was asked for
    _running: dict[int, subprocess.Popen[bytes] | Forked] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        log: Path,
        tail: deque[str],
        clock: Callable[[], datetime],
        timeout: float | None = None,
        worker: Sequence[str] = (),
    ) -> Ended:
        """Run a command to its end; stdout and stderr go to `log`, a time before each line, and
        the last lines to `tail`. `worker` are the words of a command that is our worker."""
        import subprocess

        began = time.monotonic()
        with self._lock:
            if self.stopping:
                return Ended(-signal.SIGTERM, 0.0, False)
            child: subprocess.Popen[bytes] | Forked
            if self.warm and worker:
                child = self.warm.start(worker, cwd=cwd, environ=environ)
            else:
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
            timed_out = _pump(child, log, tail, clock, began + timeout if timeout else None)
            code = child.wait()
            left = _end_rest(child.pid)
        finally:
            with self._lock:
                del self._running[child.pid]
        return Ended(code, time.monotonic() - began, timed_out, tuple(tail), left)

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
    child: subprocess.Popen[bytes] | Forked,
    log: Path,
    tail: deque[str],
    clock: Callable[[], datetime],
    deadline: float | None,
) -> bool:
    assert child.stdout is not None
    rest = b""
    timed_out = False
    died: float | None = None
    with child.stdout as stream, contextlib.ExitStack() as opened:
        handle = stream.fileno()
        file: BinaryIO | None = None  # most short steps say nothing
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
                    break  # what the step left behind holds the pipe, and ends with it
                continue
            chunk = os.read(handle, 1 << 16)
            if not chunk:
                break
            if file is None:
                file = opened.enter_context(open(log, "ab", buffering=0))
            stamp = clock().isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
            *lines, rest = (rest + chunk).split(b"\n")
            if lines:
                file.write(b"".join(stamp + b" " + line + b"\n" for line in lines))
                tail += [line.decode(errors="replace") for line in lines[-TAIL:]]
        if file is not None and rest:
            file.write(clock().isoformat(timespec="milliseconds").encode() + b" " + rest + b"\n")
            tail.append(rest.decode(errors="replace"))
    return timed_out


def _end_rest(group: int) -> tuple[str, ...]:
    """End what is left of the group of a process that has ended; return it in words."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return ()
    left = [f"{words} (pid {pid})" for pid, words in _members(group)]
    _signal(group, signal.SIGTERM)
    deadline = time.monotonic() + LINGER
    while any(True for _ in _members(group)) and time.monotonic() < deadline:
        time.sleep(0.02)
    _signal(group, signal.SIGKILL)
    return tuple(left)


def _members(group: int) -> Iterator[tuple[int, str]]:
    """Yield the processes of a group that still live, where the system has /proc."""
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return
    for number in numbers:
        try:
            state = Path("/proc", number, "stat").read_text().rpartition(")")[2].split()
            if int(state[2]) == group and state[0] not in "ZX":
                words = Path("/proc", number, "cmdline").read_bytes().rstrip(b"\0")
                yield int(number), words.replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


def _pause(deadline: float | None) -> float:
    left = 0.25 if deadline is None else deadline - time.monotonic()
    return min(0.25, max(0.01, left))


def _end(child: subprocess.Popen[bytes] | Forked) -> None:
    _signal(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    _signal(child.pid, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
