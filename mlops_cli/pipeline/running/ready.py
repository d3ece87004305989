"""Which step comes next: of those that are ready, the one with the longest way still to go."""

from __future__ import annotations

import heapq
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.pipeline.graph.graph import Graph

PACE = ".mlops/tmp/seconds.json"  # step → seconds it took the last time, on this machine


@dataclass(slots=True)
class Queue:
    """Steps whose inputs are ready; some may not be asked for before a moment."""

    ways: Mapping[str, float]
    _ready: list[tuple[float, int, str]] = field(default_factory=list)
    _later: list[tuple[float, int, str]] = field(default_factory=list)
    _count: int = 0

    def put(self, step: str) -> None:
        """Add a step that may begin."""
        self._count += 1
        heapq.heappush(self._ready, (-self.ways[step], self._count, step))

    def put_later(self, step: str, moment: float) -> None:
        """Add a step that may begin from `moment` on."""
        self._count += 1
        heapq.heappush(self._later, (moment, self._count, step))

    def take(self, now: float) -> str | None:
        """Return the step that comes next, None when none may begin by now."""
        while self._later and self._later[0][0] <= now:
            self.put(heapq.heappop(self._later)[2])
        return heapq.heappop(self._ready)[2] if self._ready else None

    def next_moment(self) -> float | None:
        """Return when the next of those that wait may begin."""
        return self._later[0][0] if self._later else None

    def __len__(self) -> int:
        return len(self._ready) + len(self._later)


def ways(graph: Graph, steps: Collection[str], seconds: Mapping[str, float]) -> dict[str, float]:
    """Return how long it takes from the begin of each step to the end of all that need it.

    `seconds` are those of the last time. A step that has none counts as the mean of the others;
    when nothing is known, what counts is how many steps come after one another.
    """
    known = [seconds[step] for step in steps if step in seconds]
    usual = max(sum(known) / len(known), 1e-3) if known else 1.0
    found: dict[str, float] = {}
    for step in reversed(list(graph.steps)):
        if step in steps:
            after = (found[later] for later in graph.after.get(step, ()) if later in found)
            found[step] = seconds.get(step, usual) + max(after, default=0.0)
    return found


def read_pace(root: Path) -> dict[str, float]:
    """Return how many seconds each step took the last time; nothing when that is not known."""
    try:
        value = json.loads((root / PACE).read_bytes())
        return {str(step): float(seconds) for step, seconds in value.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_pace(root: Path, seconds: Mapping[str, float]) -> None:
    """Remember how long steps took; what is known of others stays."""
    if seconds:
        known = read_pace(root) | {step: round(value, 3) for step, value in seconds.items()}
        fsio.write_atomic(root / PACE, json.dumps(known), durable=False)
