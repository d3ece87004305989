"""A run: look, plan, carry out what is stale, record every attempt, commit once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_cli import fsio
from mlops_cli.errors import MlopsError
from mlops_cli.pipeline import marker
from mlops_cli.pipeline.graph import Graph
from mlops_cli.pipeline.lock import FOLDER
from mlops_cli.pipeline.parts import RunParts
from mlops_cli.pipeline.plan import Item
from mlops_cli.pipeline.prospect import MUTEX, Prospect, prospect, refuse_before
from mlops_cli.progress import SILENT, Progress

if TYPE_CHECKING:
    from mlops_cli.pipeline.model import Pipeline
    from mlops_cli.pipeline.runner import Clock

__all__ = ["Prospect", "RunParts", "RunResult", "default_jobs", "prospect", "run"]

FOREVER = 365 * 86400.0


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did: `did` names what became of each stale step, in order."""

    run_id: str
    items: tuple[Item, ...]
    did: Mapping[str, str] = field(default_factory=dict)  # ran | restored | unchanged
    records: Mapping[str, str] = field(default_factory=dict)  # step → digest of its record
    seconds: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    commit: str | None = None


def run(
    parts: RunParts,
    pipeline: Pipeline | Graph,
    targets: Sequence[str] | None = None,
    *,
    now: Clock,
    jobs: int = 1,
    dry_run: bool = False,
    force: bool = False,
    keep_going: bool = False,
    commit: bool = True,
    wait: bool = False,
    parents: Sequence[str] = (),
    progress: Progress = SILENT,
) -> RunResult:
    """Bring `targets` and all before them up to date; return what was done.

    Everything that stands at the end of a failed run is recorded and committed before the error
    is raised: StepFailed (or what the step itself raised). Before anything runs: StateRefused
    ("locked", "no-identity", "git-busy"), NotFound ("missing-input", "data-not-here",
    "unknown-step"), ConfigError.
    """
    if dry_run:
        return RunResult("", prospect(parts, pipeline, targets, force=force).plan.items)
    wanted = FOREVER if wait else 0.0
    with fsio.lock(parts.root / MUTEX, what="mlops run", wait=wanted), interruptible():
        left = marker.left(parts.root)
        found = None if left else prospect(parts, pipeline, targets, force=force)
        if found and not found.plan.stale and not (commit and parts.git.dirty(_kept(found))):
            return RunResult("", found.plan.items)
        return _run(
            parts,
            found,
            lambda: prospect(parts, pipeline, targets, force=force),
            left,
            now=now,
            jobs=max(1, jobs),
            keep_going=keep_going,
            commit=commit,
            parents=tuple(parents),
            progress=progress,
        )


def _run(
    parts: RunParts,
    found: Prospect | None,
    look_again: Callable[[], Prospect],
    left: list[marker.Marker],
    *,
    now: Clock,
    jobs: int,
    keep_going: bool,
    commit: bool,
    parents: tuple[str, ...],
    progress: Progress,
) -> RunResult:
    """Put right what a killed run left, carry out the plan, and write down what was done."""
    from mlops_cli.ledger.append import open_ledger
    from mlops_cli.pipeline import conclude
    from mlops_cli.pipeline.session import Session
    from mlops_cli.pipeline.settle import Settling
    from mlops_cli.pipeline.tell import Teller

    ledger = parts.ledger or open_ledger(parts.git)
    settling = Settling(parts.root, parts.cache, parts.stats, ledger)
    teller = Teller(parts.git, now, parents)
    if left:
        marker.end_survivors({one.attempt for one in left})
        for one in left:
            settling.record(one.step, teller.killed(one))
            marker.put_back(parts.root, one)
            progress.say(f"{one.step} was interrupted; its former outputs are back.")
        settling.flush()
    marker.sweep(parts.root)
    found = found or look_again()
    if found.plan.stale:
        refuse_before(parts, found, commit=commit)
    session = Session(parts, found, now, progress, settling, teller)
    error: MlopsError | None = None
    revision: str | None = None
    try:
        error = session.carry_out(jobs=jobs, keep_going=keep_going)
    finally:
        settling.flush()
        ledger.flush()
        if commit:
            paths = [*_kept(found), *session.ignored]
            revision = conclude.commit(parts.git, teller.run_id, session.deeds, paths)
    if error is not None:
        error.details.setdefault("run", teller.run_id)
        raise error
    deeds = session.deeds
    return RunResult(
        teller.run_id,
        tuple(session.items.get(item.step.name, item) for item in found.plan.items),
        deeds.did,
        settling.digests,
        deeds.seconds,
        deeds.metrics,
        revision,
    )


def _kept(found: Prospect) -> list[str]:
    """Return what a run may leave in git: locks, and metrics files that git does not ignore."""
    return [FOLDER, *(path for item in found.plan.items for path in item.step.metrics)]


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Make SIGTERM end a run as Ctrl-C does: children ended, outputs put back, records kept."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def default_jobs() -> int:
    """Return how many steps run at once when nobody says: one a core, at most eight."""
    return max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))
