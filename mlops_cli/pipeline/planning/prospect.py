"""What a run would do, looked up in the workspace; and what would stop it in the middle."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import MlopsError, NotFound
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.planning.look import look
from mlops_cli.pipeline.planning.parts import RunParts
from mlops_cli.pipeline.planning.plan import Plan, Recall, World, environment_of, lock_recall, plan
from mlops_cli.pipeline.traces import lock as locks
from mlops_cli.pipeline.traces import marker
from mlops_cli.store.digest import Digest

if TYPE_CHECKING:
    from mlops_cli.pipeline.keys.room import Room
    from mlops_cli.pipeline.model.pipeline import Pipeline
    from mlops_cli.pipeline.step import Step


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would be done, and all that was looked at to know it."""

    graph: Graph
    locks: Mapping[str, locks.Lock]
    world: World
    plan: Plan
    recall: Recall

    def room(self, step: Step, parts: RunParts, part: Mapping[str, str]) -> Room | None:
        """Return where `step` runs, None where that is the environment of mlops; `part` is what
        its key says of it."""
        from mlops_cli.pipeline.keys.room import room

        env = step.environment or self.graph.env
        return room(env, part, cache=parts.cache.root, python=parts.python)


def prospect(
    parts: RunParts,
    pipeline: Pipeline | Graph,
    targets: Sequence[str] | None = None,
    *,
    force: bool = False,
    refresh: bool = False,
) -> Prospect:
    """Return what a run of `targets` (all when None) would do; nothing is changed."""
    graph = pipeline if isinstance(pipeline, Graph) else _graph_of(pipeline)
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
        locks=held,
        refresh=refresh,
    )

    def present(digest: str) -> bool:
        return parts.cache.has(Digest(digest))

    def look_back(key: str) -> Any:
        from mlops_cli.pipeline.traces.runcache import recall

        seen = recall(parts.cache.root / "runs", key, present=present)
        if parts.elsewhere is None:
            return None if seen is None or seen.remote else seen
        if seen is not None and (not seen.remote or parts.elsewhere().admits(key, seen)):
            return seen
        return parts.elsewhere().find(key)

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
        interrupted={one.step for one in marker.standing(parts.root).dead},
    )
    return Prospect(graph, held, world, made, recalled)


def _graph_of(pipeline: Pipeline) -> Graph:
    from mlops_cli.pipeline.graph.reading import of_pipeline  # the graph of a run is known

    return of_pipeline(pipeline)


def busy(root: Path) -> bool:
    """Return whether a run is under way in this work tree; asking disturbs nobody."""
    return bool(marker.standing(root).live)


def refuse_before(parts: RunParts, found: Prospect, *, commit: bool) -> None:
    """Raise for all that would stop the run in the middle, before anything runs."""
    from mlops_cli.pipeline.planning.reasons import InputMissing

    for item in found.plan.items:
        for reason in item.because:
            if isinstance(reason, InputMissing):
                raise _missing(parts.root, item.step.name, reason.path)
    for item in found.plan.items:
        read = item.key.parts.get("inputs", {}) if item.key else item.step.deps
        gone = [path for path in read if path in found.world.absent]
        if item.action == "run" and gone:
            raise NotFound(
                f"step {item.step.name} reads {gone[0]}, which is tracked but not here",
                code="data-not-here",
                hint=f"mlops checkout {gone[0]}, or mlops pull",
                details={"step": item.step.name, "path": gone[0]},
            )
    _refuse_rooms(parts, found)
    parts.git.identity()
    if commit:
        from mlops_cli.vcs.commit import refuse_when_busy

        refuse_when_busy(parts.git)


def _refuse_rooms(parts: RunParts, found: Prospect) -> None:
    """Raise MissingExtra where what makes the environment of a step is not on this machine."""
    for item in found.plan.items:
        if item.action == "run":
            room = found.room(item.step, parts, environment_of(item.step, found.world))
            if room is not None:
                room.refuse(parts.environ.get("PATH"))


def _missing(root: Path, step: str, path: str) -> NotFound:
    from mlops_cli.pipeline.graph.reading import place_of_step

    field_ = "code" if path.endswith(".py") else "deps"
    try:
        place = place_of_step(root, step, "deps" if field_ == "deps" else "", path)
    except (MlopsError, ValueError, KeyError, AttributeError):
        place = "pipeline.yaml"
    return NotFound(
        f"{place}: step {step} needs {path}, which does not exist, and no step makes it",
        code="missing-input",
        hint=f"put the file there, correct the path, or add a step with outs: [{path}]",
        details={"step": step, "path": path, "place": place},
    )
