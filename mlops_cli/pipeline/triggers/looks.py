"""What triggers look at: data, decisions, branches, results, as they are now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import Record
from mlops_cli.pipeline.checks.triggers import RETRAIN
from mlops_cli.pipeline.model.data import Source
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.triggers import Trigger
from mlops_cli.pipeline.planning.look import digest_at
from mlops_cli.pipeline.triggers.outlook import Look
from mlops_cli.vcs.blame import Origin
from mlops_cli.vcs.claims import Board

if TYPE_CHECKING:
    from mlops_cli.pipeline.graph.graph import Graph
    from mlops_cli.pipeline.planning.parts import RunParts
    from mlops_cli.vcs.repo import Git

Rows = Callable[[Source], int | None]


def look(
    parts: RunParts,
    pipeline: Pipeline,
    graph: Graph,
    board: Board,
    index: Index,
    trigger: Trigger,
    origin: Origin | None,
    rows: Rows,
) -> Look:
    """Return what `trigger` looks at; `origin` is the commit that made its lines what they are."""
    if trigger.cron:
        return Look(since=origin.time if origin else None)
    if trigger.on == "new_data":
        source = pipeline.data[str(trigger.of).removeprefix("data.")]
        return _data(parts, pipeline, graph, index, trigger, source, rows)
    if trigger.on == "drift":
        return _decided(index, str(trigger.of).removeprefix("monitors."))
    if trigger.on == "push":
        head = board.head(str(trigger.branch))
        told = "" if head else f"there is no branch {trigger.branch}"
        head = made_by_people(parts.git, head) if head else None
        return Look(value=head, used=origin.commit if origin else head, told=told)
    return _goal(pipeline, graph, index, trigger, origin)


def made_by_people(git: Git, head: str) -> str | None:
    """Return the newest commit up to `head` that no run made: a run must not bring about another
    run by committing its locks."""
    words = ("log", "-1", "--format=%H", "--invert-grep", "--grep=^Mlops-Run: ", head, "--")
    return git.run(*words) or None


def steps_of(pipeline: Pipeline, graph: Graph, run: str) -> set[str]:
    """Return the steps that `run` of a trigger brings up to date."""
    if run.startswith(RETRAIN):
        train = pipeline.models[run.removeprefix(RETRAIN)].source.removeprefix("train.")
        run = f"evaluate.{train}"
    return graph.select(graph.named(run))


def _data(
    parts: RunParts,
    pipeline: Pipeline,
    graph: Graph,
    index: Index,
    trigger: Trigger,
    source: Source,
    rows: Rows,
) -> Look:
    now = digest_at(parts.root, source.path, stats=parts.stats, store=parts.cache)
    if now is None:
        return Look(told=f"{trigger.of} is not here")
    last = _last_use(graph, index, steps_of(pipeline, graph, trigger.run), source.path)
    used = str(last["inputs"][source.path]) if last else None
    if used == now:
        return Look(value=now, used=used)
    before = None
    for record in index.newest("run", step=trigger.of):
        if used is not None and record["inputs"].get(source.path) == used:
            counted = record["metrics"].get("rows")
            before = int(counted) if isinstance(counted, int | float) else before
            break
    return Look(value=now, used=used, rows=rows(source), rows_used=before)


def _last_use(graph: Graph, index: Index, steps: set[str], path: str) -> Record | None:
    """Return the record of the last attempt that came to its end and read `path`."""
    found = []
    for name in steps:
        if path not in graph.steps[name].deps:
            continue
        for record in index.newest("run", step=name):
            if record["status"] in ("done", "cached") and path in record["inputs"]:
                found.append(record)
                break
    return max(found, key=_time, default=None)


def _decided(index: Index, monitor: str) -> Look:
    """Look at the last decision to retrain. It was carried out where it caused something, unless
    the last of that was a window that somebody gave back."""
    for record in index.newest("decision"):
        if record["monitor"] != monitor or record["action"] != "retrain":
            continue
        digest = str(record.digest)
        caused = [
            found
            for edge in index.edges_from(digest)
            if edge.relation == "caused" and (found := index.get(edge.target))
        ]
        last = max(caused, key=_time, default=None)
        done = last is not None and last["outcome"] != "released"
        told = "; ".join(str(reason) for reason in record["because"])
        return Look(value=digest, used=digest if done else None, told=told)
    return Look(told=f"monitors.{monitor} never decided to retrain")


def _goal(
    pipeline: Pipeline, graph: Graph, index: Index, trigger: Trigger, origin: Origin | None
) -> Look:
    """Look at the last result that has the metric; it was used where it meets the goal."""
    goal = trigger.until
    assert goal is not None
    since = origin.time if origin else None
    results = [
        record
        for name in steps_of(pipeline, graph, trigger.run)
        for record in index.newest("run", step=name)
        if record["status"] == "done"
        and isinstance(record["metrics"].get(goal.metric), int | float)
    ]
    results.sort(key=_time)
    if not results:
        return Look(told=f"no run has told {goal.metric} yet: mlops run {trigger.run}")

    def meets(record: Record) -> bool:
        value = record["metrics"][goal.metric]
        low, high = goal.at_least, goal.at_most
        return (low is None or value >= low) and (high is None or value <= high)

    last = results[-1]
    met = max((_time(one) for one in results if meets(one)), default=since)
    wanted = (
        f"at least {goal.at_least:g}"
        if goal.at_least is not None
        else (f"at most {goal.at_most:g}")
    )
    value: Any = last["metrics"][goal.metric]
    return Look(
        value=str(last.digest),
        used=str(last.digest) if meets(last) else None,
        told=f"{goal.metric} is {value:.6g}, to be {wanted}",
        met=met,
    )


def _time(record: Record) -> datetime:
    return datetime.fromisoformat(str(record["time"]))
