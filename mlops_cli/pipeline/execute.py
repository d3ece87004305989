"""A run: look, plan, carry out what is stale, record every attempt, commit once."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlops_cli import fsio
from mlops_cli.errors import MlopsError, NotFound
from mlops_cli.pipeline import graph as graphs
from mlops_cli.pipeline import lock as locks
from mlops_cli.pipeline import marker
from mlops_cli.pipeline.graph import Graph
from mlops_cli.pipeline.look import look
from mlops_cli.pipeline.model import Pipeline
from mlops_cli.pipeline.plan import Item, Plan, Recall, World, lock_recall, plan
from mlops_cli.pipeline.reasons import InputMissing
from mlops_cli.pipeline.runcache import recall
from mlops_cli.pipeline.runner import Clock
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.digest import Digest

if TYPE_CHECKING:
    from mlops_cli.ledger.append import Ledger
    from mlops_cli.store.cache import Cache
    from mlops_cli.store.statcache import StatCache
    from mlops_cli.vcs.repo import Git

MUTEX = ".mlops/run.lock"
FOREVER = 365 * 86400.0


class Opened(Protocol):
    """What a run takes from `project.Project`, which lives on the same floor."""

    @property
    def root(self) -> Path: ...
    @property
    def git(self) -> Git: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def stats(self) -> StatCache: ...


@dataclass(frozen=True, slots=True)
class RunParts:
    """The parts of a project that a run uses. `environ` is what commands inherit."""

    root: Path
    git: Git
    cache: Cache
    stats: StatCache | None
    environ: Mapping[str, str]
    ledger: Ledger | None = None  # opened when the first record is made
    python: str = sys.executable

    @classmethod
    def of(cls, project: Opened, environ: Mapping[str, str]) -> RunParts:
        """Return the parts of an open project; `environ` is what commands inherit."""
        return cls(project.root, project.git, project.cache, project.stats, environ)

    @property
    def parsed(self) -> Path:
        """Where parsed files are kept."""
        return self.cache.root / "parsed"


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


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would be done, and all that was looked at to know it."""

    graph: Graph
    locks: Mapping[str, locks.Lock]
    world: World
    plan: Plan
    recall: Recall


def prospect(
    parts: RunParts,
    pipeline: Pipeline | Graph,
    targets: Sequence[str] | None = None,
    *,
    force: bool = False,
) -> Prospect:
    """Return what a run of `targets` (all when None) would do; nothing is changed."""
    graph = pipeline if isinstance(pipeline, Graph) else graphs.of_pipeline(pipeline)
    runnable = [name for name, step in graph.steps.items() if not step.action]
    chosen = graph.select(targets) if targets else set(runnable)
    selected = [name for name in runnable if name in chosen]
    held = locks.read_locks(parts.root, selected)
    world = look(
        graph,
        selected,
        root=parts.root,
        stats=parts.stats,
        environ=parts.environ,
        python=sys.version_info[:2],
        store=parts.cache,
        parsed=parts.parsed,
    )

    def present(digest: str) -> bool:
        return parts.cache.has(Digest(digest))

    def look_back(key: str) -> Any:
        return recall(parts.cache.root / "runs", key, present=present)

    recalled = lock_recall(held, look_back, present)
    forced: Collection[str] = ()
    if force:
        forced = {graph.name(name) for name in targets} if targets else selected
    made = plan(
        graph,
        held,
        world,
        recall=recalled,
        selected=set(selected),
        forced=set(forced),
        interrupted={left.step for left in marker.left(parts.root)},
    )
    return Prospect(graph, held, world, made, recalled)


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
    from mlops_cli.pipeline.session import Session

    if dry_run:
        found = prospect(parts, pipeline, targets, force=force)
        return RunResult("", found.plan.items)
    wanted = FOREVER if wait else 0.0
    with fsio.lock(parts.root / MUTEX, what="mlops run", wait=wanted), interruptible():
        left = marker.left(parts.root)
        session = Session(parts, now, progress, tuple(parents))
        if left:
            session.recover(left)
        found = prospect(parts, pipeline, targets, force=force)
        if found.plan.stale:
            _refuse_before(parts, found, commit=commit)
        elif not left:
            return RunResult(session.run_id, found.plan.items, commit=_leftovers(session, commit))
        error: MlopsError | None = None
        try:
            error = session.carry_out(found, jobs=max(1, jobs), keep_going=keep_going)
        finally:
            revision = session.finish(commit=commit)
        result = session.result(found.plan, revision)
        if error is not None:
            error.details.setdefault("run", session.run_id)
            raise error
        return result


def _leftovers(session: Any, commit: bool) -> str | None:
    """Commit what an earlier run without commit, or one that was killed, left behind."""
    revision: str | None = session.commit() if commit else None
    return revision


def _refuse_before(parts: RunParts, found: Prospect, *, commit: bool) -> None:
    """Raise for all that would stop the run in the middle, before anything runs."""
    for item in found.plan.items:
        for reason in item.because:
            if isinstance(reason, InputMissing):
                raise _missing(parts.root, item.step.name, reason.path)
    for item in found.plan.items:
        gone = [path for path in item.step.deps if path in found.world.absent]
        if item.action == "run" and gone:
            raise NotFound(
                f"step {item.step.name} reads {gone[0]}, which is tracked but not here",
                code="data-not-here",
                hint=f"mlops checkout {gone[0]}, or mlops pull",
                details={"step": item.step.name, "path": gone[0]},
            )
    parts.git.identity()
    if commit:
        from mlops_cli.vcs.commit import refuse_when_busy

        refuse_when_busy(parts.git)


def _missing(root: Path, step: str, path: str) -> NotFound:
    field_ = "code" if path.endswith(".py") else "deps"
    try:
        place = graphs.place_of_step(root, step, "deps" if field_ == "deps" else "", path)
    except (MlopsError, ValueError, KeyError, AttributeError):
        place = "pipeline.yaml"
    return NotFound(
        f"{place}: step {step} needs {path}, which does not exist, and no step makes it",
        code="missing-input",
        hint=f"put the file there, correct the path, or add a step with outs: [{path}]",
        details={"step": step, "path": path, "place": place},
    )


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
