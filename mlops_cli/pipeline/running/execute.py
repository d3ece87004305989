"""A run: look, plan, carry out what is stale, record every attempt, commit once."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import MlopsError, NotFound
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.pipeline.planning.plan import Item
from mlops_cli.pipeline.planning.prospect import Prospect, prospect, refuse_before
from mlops_cli.pipeline.running import conclude
from mlops_cli.pipeline.traces import marker
from mlops_cli.pipeline.traces.marker import Standing
from mlops_cli.progress import SILENT, Progress

if TYPE_CHECKING:
    from mlops_cli.pipeline.model.pipeline import Pipeline
    from mlops_cli.pipeline.runner import Clock
    from mlops_cli.pipeline.running.beginning import Beginning

__all__ = ["Prospect", "RunParts", "RunResult", "default_jobs", "prospect", "run"]

AGAIN = 50  # looks at a workspace that another run changes meanwhile


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did: `did` names what became of each stale step, in order."""

    run_id: str
    items: tuple[Item, ...]
    did: Mapping[str, str] = field(default_factory=dict)  # ran | restored | shared | unchanged
    records: Mapping[str, str] = field(default_factory=dict)  # step → digest of its record
    seconds: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run goes about its work. `machine` are the settings run.cpus, run.gpus, run.mem."""

    jobs: int = 1
    keep_going: bool = False
    commit: bool = True
    parents: tuple[str, ...] = ()
    machine: Mapping[str, Any] = field(default_factory=dict)
    sandbox: bool = False
    store: bool = True
    warm: str | None = None


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
    parents: Sequence[str] = (),
    machine: Mapping[str, Any] | None = None,
    refresh: bool = False,
    sandbox: bool = False,
    store: bool = True,
    warm: str | None = None,
    progress: Progress = SILENT,
) -> RunResult:
    """Bring `targets` and all before them up to date; return what was done.

    Several runs share the work: a step that another one has is waited for, then taken from its
    lock. Everything that stands at the end of a failed run is recorded and committed before the
    error is raised: StepFailed (or what the step itself raised). Before anything runs: StateRefused
    ("no-identity", "git-busy", "too-few-resources"), NotFound ("missing-input", "data-not-here",
    "unknown-step"), ConfigError.

    With `refresh` servers are asked about URLs that locks know, too. In a `sandbox` a command finds
    only what its step declares. Without `store` outputs stay where they are made and are not put
    into the cache.
    """
    manner = Manner(
        max(1, jobs), keep_going, commit, tuple(parents), machine or {}, sandbox, store, warm
    )
    began = time.time_ns()
    standing = marker.standing(parts.root)

    def look() -> Prospect:
        return _look(
            lambda: prospect(parts, pipeline, targets, force=force, refresh=refresh), parts.root
        )

    if dry_run:
        return RunResult("", look().plan.items)
    with interruptible():
        found = None if standing.dead else look()
        if (
            found
            and not found.plan.stale
            and not (commit and conclude.uncommitted(parts.git, found))
        ):
            return RunResult("", found.plan.items)
        return _run(parts, found, look, standing, manner, began, now=now, progress=progress)


def _run(
    parts: RunParts,
    found: Prospect | None,
    look: Callable[[], Prospect],
    standing: Standing,
    manner: Manner,
    began: int,
    *,
    now: Clock,
    progress: Progress,
) -> RunResult:
    """Put right what a killed run left, carry out the plan, and write down what was done."""
    from mlops_cli.ledger.append import open_ledger
    from mlops_cli.pipeline.attempts.crew import Crew
    from mlops_cli.pipeline.running import ready
    from mlops_cli.pipeline.running.beginning import Beginning
    from mlops_cli.pipeline.running.recover import put_all_right
    from mlops_cli.pipeline.running.results import Results
    from mlops_cli.pipeline.running.session import Session
    from mlops_cli.pipeline.running.settle import Settling
    from mlops_cli.pipeline.running.sight import Sight
    from mlops_cli.pipeline.running.slots import Slots, capacity, refuse_more
    from mlops_cli.pipeline.running.tell import Teller
    from mlops_cli.pipeline.traces.holding import Holder

    ledger = parts.ledger or open_ledger(parts.git)
    settling = Settling(parts.root, parts.cache, parts.stats, ledger, manner.store)
    teller = Teller(parts.git, now, manner.parents, settling.put)
    holder = Holder(parts.root)
    if standing.dead:
        put_all_right(holder, standing.dead, settling, teller, progress)
    found = found or look()
    there = capacity(parts.environ, manner.machine)
    ignored: list[str] = []
    if parts.elsewhere is not None:
        taken = [item for item in found.plan.items if item.action == "restore"]
        parts.elsewhere().bring({one.key.digest: one.seen for one in taken if one.key and one.seen})
    if stale := [item.step for item in found.plan.stale]:
        refuse_before(parts, found, commit=manner.commit)
        refuse_more(stale, there)
        with conclude.turn(parts.root):
            ignored = conclude.ignore_outputs(parts.git, parts.root, stale)
    results = Results(parts.root, Sight(parts, found, began), settling, teller, progress)
    seconds = ready.read_pace(parts.root) if stale else {}
    slots = Slots(parts.root, there)
    beginning = Beginning(parts, found, now, progress, results, slots, holder, boxed=manner.sandbox)
    session = Session(beginning, Crew(parts, now, manner.warm), progress, seconds)
    error: MlopsError | None = None
    revision: str | None = None
    try:
        error = session.carry_out(jobs=manner.jobs, keep_going=manner.keep_going)
    finally:
        settling.flush()
        with conclude.turn(parts.root):
            ledger.flush()
            if manner.commit:
                paths = [*conclude.uncommitted(parts.git, found), *ignored]
                revision = conclude.commit(parts.git, teller.run_id, results.deeds, paths)
            ready.write_pace(parts.root, results.deeds.ran)
        holder.close()
    if error is not None:
        error.details.setdefault("run", teller.run_id)
        raise error
    return _result(beginning, revision)


def _result(beginning: Beginning, revision: str | None) -> RunResult:
    results, planned = beginning.results, beginning.found.plan.items
    deeds = results.deeds
    return RunResult(
        results.teller.run_id,
        tuple(beginning.items.get(item.step.name, item) for item in planned),
        deeds.did,
        results.settling.digests,
        deeds.seconds,
        deeds.metrics,
        revision,
    )


def _look(look: Callable[[], Prospect], root: Path) -> Prospect:
    """Look; once more when files went away meanwhile because other runs are at work."""
    for _ in range(AGAIN):
        before = marker.standing(root).live
        try:
            return look()
        except (OSError, NotFound) as problem:
            if isinstance(problem, NotFound) and problem.code in _NAMED:
                raise
            if not (before or marker.standing(root).live):
                raise
            time.sleep(0.02)
    return look()


_NAMED = ("unknown-step", "missing-file")  # files of people, which no run takes away


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
