"""Trying again: the class of a failure, and how long to wait before the next try."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from mlops_cli.pipeline.model.amounts import duration

LONGEST = 600.0  # seconds; no pause doubles beyond it
SIGNALS = range(129, 193)  # as a shell tells that a signal ended what it called
KILLED = (-9, 137)
_MEMORY = re.compile(r"MemoryError\b|\bout of memory\b|std::bad_alloc|Cannot allocate memory", re.I)


def classes(code: int, tail: Collection[str], *, timed_out: bool, oom: bool) -> tuple[str, ...]:
    """Return the words for a failure, the most special one first.

    `oom` tells that the kernel ended processes for want of memory while it ran.
    """
    if timed_out:
        return ("timeout",)
    words = [f"exit {code}", "exit"] if code > 0 else []
    if code < 0 or code in SIGNALS:
        words = ["signal"]
    if (oom and code in KILLED) or any(_MEMORY.search(line) for line in tail):
        words.insert(0, "memory")
    return tuple(words)


def pause(retries: Mapping[str, Any], tried: int, failure: Collection[str]) -> float | None:
    """Return the seconds to wait before the next try after `tried` tries; None: leave it."""
    if not retries or tried > retries["times"] or not set(failure) & set(retries["on"]):
        return None
    first = duration(retries["backoff"]).total_seconds()
    return float(min(LONGEST, first * 2 ** (tried - 1)))


def oom_kills() -> int:
    """Return how often the kernel ended a process of this cgroup for want of memory."""
    try:
        with open("/sys/fs/cgroup/memory.events", encoding="ascii") as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0
