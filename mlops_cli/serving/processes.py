"""Whether a process that a file names is still the one that was meant."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def born(pid: int) -> str:
    """Return a mark of when `pid` was started, so that a reused number is told apart."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    fields = stat.rpartition(b")")[2].split()
    return "" if fields[:1] == [b"Z"] else fields[19].decode()


def alive(pid: int, mark: str) -> bool:
    """Return whether the process `pid` with the mark of `born` still runs."""
    try:
        os.waitpid(pid, os.WNOHANG)  # a dead child of ours stays visible until it is reaped
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # the number now belongs to somebody else
    return not Path("/proc/self/stat").exists() or (born(pid) == mark and mark != "")


def end(pid: int, mark: str, *, wait: float) -> bool:
    """Ask the process to end, and its whole group to vanish when it does not within `wait`."""
    if not alive(pid, mark):
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + wait
    while alive(pid, mark):
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            deadline = time.monotonic() + wait
        time.sleep(0.02)
    return True


def gone(pid: int, *, wait: float) -> None:
    """Wait until `pid` has left on its own; end it when it does not within `wait` seconds."""
    mark = born(pid)
    deadline = time.monotonic() + wait
    while alive(pid, mark):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
