"""One process timed from outside: wall, CPU of it and its children, peak memory of all of them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

QUIET = {"DVC_NO_ANALYTICS": "1", "CI": "1", "NO_COLOR": "1"}
# a tool that pip installed has its bytecode; one that runs from its sources would compile each time
_HARMFUL = {"PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run took, in seconds, and what it printed."""

    wall: float
    cpu: float
    out: str


@dataclass(slots=True)
class Pairs:
    """Runs of both tools, in pairs that followed one another."""

    ours: list[Taken] = field(default_factory=list)
    theirs: list[Taken] = field(default_factory=list)

    def ratio(self, what: str = "wall") -> float:
        """Return how many times longer the other tool takes: the ratio of the medians."""
        return median(self.theirs, what) / median(self.ours, what)

    def spread(self) -> tuple[float, float]:
        """Return the least and the greatest ratio of wall times within a pair."""
        ratios = [b.wall / a.wall for a, b in zip(self.ours, self.theirs, strict=False)]
        return min(ratios), max(ratios)


def median(taken: Sequence[Taken], what: str = "wall") -> float:
    """Return the median of `wall` or `cpu`."""
    return statistics.median(getattr(one, what) for one in taken)


def run(command: Sequence[str], cwd: Path) -> Taken:
    """Run `command`; a tool that fails ends the benchmark, it never counts as fast."""
    with tempfile.TemporaryFile() as printed:
        os.sync()
        start = time.perf_counter()
        child = subprocess.Popen(
            command, cwd=cwd, env=_environment(), stdout=printed, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        out = printed.read().decode(errors="replace")
    if child.returncode != 0:
        fail(f"{' '.join(command)} ended with {child.returncode} in {cwd}:\n{out[-3000:]}")
    return Taken(wall, usage.ru_utime + usage.ru_stime, out)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _HARMFUL}
    return kept | QUIET


def peak(command: Sequence[str], cwd: Path) -> float:
    """Return the most MiB that `command` and its children held at one time.

    The sum of their resident sets, looked at every 20 ms: shared pages count once for each.
    """
    most = 0.0
    child = subprocess.Popen(command, cwd=cwd, env=_environment(), stdout=subprocess.DEVNULL)
    while child.poll() is None:
        most = max(most, sum(map(_resident, _family(child.pid))))
        time.sleep(0.02)
    if child.returncode != 0:
        fail(f"{' '.join(command)} ended with {child.returncode} in {cwd}")
    return most


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in _family(int(child)))]


def _resident(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def check(so: bool, what: str) -> None:
    """End the benchmark when a tool did not do what it was timed for."""
    if not so:
        fail(what)


def fail(what: str) -> None:
    """Say why there is no result, and exit with 2."""
    print(f"no result: {what}", file=sys.stderr)
    sys.exit(2)
