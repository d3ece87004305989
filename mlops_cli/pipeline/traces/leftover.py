"""Processes that outlive the step that started them: found, named, ended.

They are known by their environment, which needs /proc; elsewhere none is found.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.pipeline.traces.marker import VARIABLE

PATIENCE = 0.5  # seconds between the request to end and the end


@dataclass(frozen=True, slots=True)
class Leftover:
    """A process that a step left behind."""

    pid: int
    attempt: str  # run/step
    words: str  # its command line

    @property
    def step(self) -> str:
        return self.attempt.partition("/")[2]


def find(wanted: Callable[[str], bool]) -> list[Leftover]:
    """Return the processes of the attempts that are `wanted`."""
    mark = f"{VARIABLE}=".encode()
    found: list[Leftover] = []
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    for number in numbers:
        try:
            with open(f"/proc/{number}/environ", "rb", buffering=0) as file:
                environ = file.read()
            at = environ.find(mark)
            if at < 0 or (at and environ[at - 1]) or int(number) == os.getpid():
                continue
            attempt = environ[at + len(mark) :].split(b"\0", 1)[0].decode(errors="replace")
            if wanted(attempt):
                words = Path("/proc", number, "cmdline").read_bytes().rstrip(b"\0")
                said = words.replace(b"\0", b" ").decode(errors="replace")
                found.append(Leftover(int(number), attempt, said))
        except OSError:
            continue  # gone, or of another user
    return found


def end(wanted: Callable[[str], bool]) -> list[Leftover]:
    """End the processes of the attempts that are `wanted`: ask, wait, insist; return them."""
    found: dict[int, Leftover] = {}
    began = time.monotonic()
    while left := find(wanted):
        waited = time.monotonic() - began
        for one in left:
            if waited >= PATIENCE or one.pid not in found:
                with contextlib.suppress(OSError):
                    os.kill(one.pid, signal.SIGKILL if waited >= PATIENCE else signal.SIGTERM)
            found[one.pid] = one
        if waited >= 4 * PATIENCE:
            break  # in a call of the kernel that no signal ends
        time.sleep(0.02)
    return list(found.values())
