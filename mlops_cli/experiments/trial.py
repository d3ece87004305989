"""One experiment: a variant of the project, run in a scratch tree, told to the ledger, kept in git.

Run as a program it is one trial of a sweep: `python -m mlops_cli.experiments.trial ROOT SWEEP N`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli import live
from mlops_cli.errors import MlopsError
from mlops_cli.experiments import params, snapshot
from mlops_cli.experiments.axes import Axis
from mlops_cli.experiments.place import CACHE_VARIABLE, bring, elsewhere
from mlops_cli.ledger.append import Ledger, open_ledger
from mlops_cli.ledger.record import Record, plain
from mlops_cli.live import Point
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.graph.opening import open_graph
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.pipeline.running import execute
from mlops_cli.pipeline.traces import lock as locks
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.digest import Digest

LOGS = ".mlops/logs"

if TYPE_CHECKING:
    from mlops_cli.pipeline.runner import Clock
    from mlops_cli.project import Project


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an experiment; `commit` holds its params and locks."""

    run: str | None
    commit: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    did: Mapping[str, str] = field(default_factory=dict)
    series: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    error: MlopsError | None = None
    stopped: bool = False


@dataclass(slots=True)
class Marked:
    """The ledger, each record marked with the experiment that it belongs to."""

    ledger: Ledger
    experiment: Mapping[str, Any]
    runs: list[str] = field(default_factory=list)

    def spool(self, record: Record) -> Digest:
        """Spool `record` where the person's own runs are: it outlives the scratch tree."""
        self.runs.append(str(record["run"]))
        body = {**record.body, "experiment": plain(self.experiment)}
        return self.ledger.spool(Record(record.kind, body))

    def flush(self) -> list[Digest]:
        return self.ledger.flush()


def variant(project: Project, base: str, axes: Sequence[Axis], values: Mapping[str, Any]) -> str:
    """Return a commit on `base` whose params are `values` (name of an axis → value)."""
    files: dict[str, bytes] = {}
    for axis in axes:
        data = files.get(axis.file) or project.git.show(base, axis.file) or b""
        files[axis.file] = params.edited(data, {axis.key: values[axis.name]}, file=axis.file)
    chosen = ", ".join(f"{name}={value}" for name, value in values.items())
    return snapshot.variant(
        project.git, base, files, subject=f"experiment: {chosen}"[:70], trailers={}
    )


def carry_out(
    project: Project,
    commit: str,
    environ: Mapping[str, str],
    *,
    experiment: Mapping[str, Any],
    targets: Sequence[str] = (),
    now: Clock,
    jobs: int = 1,
    began: Callable[[Path], None] = lambda _place: None,
    stopped: Callable[[], bool] = lambda: False,
    progress: Progress = SILENT,
) -> Result:
    """Run `targets` (all when empty) at `commit`, elsewhere; a step that fails is a result.

    `began` is told where; `stopped` says, at an interrupt, that the trial alone was meant by it.
    Raises what keeps steps from being run at all.
    """
    with elsewhere(project, commit) as there:
        graph = open_graph(there.root, cache=project.cache.root / "parsed", now=now())
        names = _names(graph, targets)
        bring(project, there, graph, names, now=now(), progress=progress)
        ledger = Marked(open_ledger(project.git), experiment)
        given = {**environ, CACHE_VARIABLE: str(project.cache.root.absolute())}
        parts = replace(RunParts.of(there, given), ledger=ledger)
        failed: MlopsError | None = None
        run, did, ended_early = None, dict[str, str](), False
        began(there.root)
        try:
            result = execute.run(
                parts, graph, targets or None, now=now, jobs=jobs, progress=progress
            )
            run, did = result.run_id or None, dict(result.did)
        except MlopsError as error:
            if not ledger.runs:
                raise
            failed = error
        except KeyboardInterrupt:
            if not stopped():
                raise
            ended_early = True
        run = run or (ledger.runs[-1] if ledger.runs else None)
        made = there.git.rev_parse("HEAD")
        snapshot.keep(project.git, run or str(experiment["id"]), made)
        metrics, series = _metrics(there.root, names), logged(there.root)
        return Result(run, made, metrics, did, series, failed, ended_early)


def logged(root: Path) -> dict[str, list[Point]]:
    """Return what the steps in the tree `root` logged so far."""
    found: dict[str, list[Point]] = {}
    for folder in sorted((root / LOGS).glob("*/*.live")):
        found |= live.parse(live.read(folder)).metrics
    return found


def _names(graph: Graph, targets: Sequence[str]) -> list[str]:
    chosen = graph.select(targets) if targets else set(graph.steps)
    return [name for name, step in graph.steps.items() if name in chosen and not step.action]


def _metrics(root: Path, names: Sequence[str]) -> dict[str, float]:
    """Return the metrics that stand in the locks; a name that several steps have is of the last."""
    found: dict[str, float] = {}
    held = locks.read_locks(root, names)
    for name in names:
        if name in held:
            found |= held[name].metrics
    return found


def main(arguments: Sequence[str]) -> int:
    """Run one trial, whose values stand in the state of the sweep, and write down its end."""
    from mlops_cli import config
    from mlops_cli.experiments import state
    from mlops_cli.project import open_project

    root, name, number = Path(arguments[0]), arguments[1], int(arguments[2])
    sweep = state.resume(root, name)
    with sweep.hold(number):
        plan, trial = sweep.plan, sweep.trials[number]
        settings = config.load(root, environment=os.environ, home=Path.home())
        project = open_project(root, settings)
        marks = {"id": f"{plan.id}/{number}", "sweep": plan.id, "trial": number}
        marks |= {"base": plan.base, "set": dict(trial.values)}
        try:
            commit = variant(project, plan.base, plan.axes, trial.values)
            result = carry_out(
                project,
                commit,
                os.environ,
                experiment=marks,
                targets=plan.targets,
                now=_now,
                began=lambda place: sweep.note_place(number, place),
                stopped=lambda: sweep.is_stopped(number),
            )
        except KeyboardInterrupt:
            return 130  # whoever asked for it writes down why
        except MlopsError as error:
            sweep.end(replace(trial, status="failed", error=error.message))
            return 1
        metric = plan.metric
        points = result.series.get(metric or "", ())
        status = "stopped" if result.stopped else "failed" if result.error else "done"
        sweep.end(
            replace(
                trial,
                status=status,
                run=result.run,
                value=result.metrics.get(metric) if metric and status == "done" else None,
                metrics=dict(result.metrics) if status == "done" else {},
                series=tuple((p.step, p.value) for p in points if p.value is not None),
                error=result.error.message if result.error else None,
            )
        )
        return 1 if result.error else 0


def _now() -> datetime:
    fixed = os.environ.get("MLOPS_NOW")
    return datetime.fromisoformat(fixed) if fixed else datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
