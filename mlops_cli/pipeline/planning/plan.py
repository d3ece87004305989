"""Which steps are stale and why; pure, so `--dry-run`, `status` and `explain` agree."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mlops_cli.pipeline.globs import is_glob, may_touch, spelled_out
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.keys.key import UNKNOWN, Key, key
from mlops_cli.pipeline.paths import under
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces import keeping
from mlops_cli.pipeline.traces.lock import Lock

if TYPE_CHECKING:
    from mlops_cli.pipeline.planning.reasons import Reason
    from mlops_cli.pipeline.traces.runcache import Seen

Action = Literal["run", "restore", "skip", "blocked"]
Recall = Callable[[str], "Seen | None"]


@dataclass(frozen=True, slots=True)
class World:
    """What keys are made of, as it is now. `paths` maps a path to its digest, None when absent;
    `absent` are those of them that are known by a pointer only."""

    paths: Mapping[str, str | None]
    environment: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # step → closure
    variables: Mapping[str, str | None] = field(default_factory=dict)
    absent: Collection[str] = frozenset()
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # steps' own
    globs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # pattern → its paths


@dataclass(frozen=True, slots=True)
class Item:
    """What is to be done with one step. `outputs` are those that a restore brings back."""

    step: Step
    action: Action
    because: tuple[Reason, ...] = ()
    key: Key | None = None  # None while a step that comes first has not run
    seen: Seen | None = None

    @property
    def stale(self) -> bool:
        return self.action != "skip"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, step by step, in order."""

    items: tuple[Item, ...]

    @property
    def stale(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.stale)


def plan(
    graph: Graph,
    locks: Mapping[str, Lock],
    world: World,
    *,
    recall: Recall,
    selected: Collection[str] | None = None,
    forced: Collection[str] = frozenset(),
    interrupted: Collection[str] = frozenset(),
) -> Plan:
    """Return what to do with each of the `selected` steps (all but actions), in order.

    `recall` looks into the run cache. Nothing is read or written here.
    """
    paths = dict(world.paths)
    parts = partial(graph, paths)
    items: dict[str, Item] = {}
    for name, step in graph.steps.items():
        if step.action or (selected is not None and name not in selected):
            continue
        first = [items[earlier] for earlier in graph.before[name] if earlier in items]
        item = judge(
            step,
            locks.get(name),
            paths,
            world,
            recall=recall,
            first=first,
            forced=name in forced,
            interrupted=name in interrupted,
        )
        items[name] = item
        if item.action in ("run", "blocked"):
            paths |= dict.fromkeys(step.outs, UNKNOWN)
            forget_parts(paths, parts, step)
        elif item.action == "restore" and item.seen:
            paths |= {path: out.digest for path, out in item.seen.outputs.items()}
            forget_parts(paths, parts, step)
    return Plan(tuple(items.values()))


def judge(
    step: Step,
    lock: Lock | None,
    paths: Mapping[str, str | None],
    world: World,
    *,
    recall: Recall,
    first: Collection[Item] = (),
    forced: bool = False,
    interrupted: bool = False,
) -> Item:
    """Return what to do with one step, given `paths` and what is done with those before it."""
    undecided = lock is not None and lock.theirs is not None
    if step.frozen and lock is not None and not (forced or undecided):
        return _outputs_only(step, lock, paths)
    deps = spelled_out(step.deps, paths, world.globs) if world.globs else step.deps
    missing = [path for path in deps if paths.get(path) is None]
    missing += [file for file, units in world.code.get(step.name, {}).items() if units is None]
    inputs = {path: digest for path in deps if (digest := paths.get(path)) is not None}
    now = key(
        step,
        inputs=inputs,
        params={ref: world.params.get(ref) for ref in step.params},
        code=world.code.get(step.name, {}),
        environment=environment_of(step, world),
        variables={name: world.variables.get(name) for name in step.variables},
    )
    if (
        lock is not None
        and lock.key == now.digest
        and not (forced or step.always or interrupted or undecided)
    ):
        as_made = all(paths.get(path) == out.digest for path, out in lock.outputs.items())
        if as_made and not any(item.action == "blocked" for item in first):
            return _kept_otherwise(step, lock, now) or Item(step, "skip", key=now)
    from mlops_cli.pipeline.planning.because import because_of

    waiting = UNKNOWN in inputs.values()
    because = because_of(
        step,
        lock,
        now,
        paths,
        missing=missing,
        earlier=[
            item.step.name for item in first if (waiting and item.stale) or item.action == "blocked"
        ],
        forced=forced,
        interrupted=interrupted,
    )
    if missing or any(item.action == "blocked" for item in first):
        return Item(step, "blocked", tuple(because))
    if waiting:
        return Item(step, "run", tuple(because))
    if not because:
        return Item(step, "skip", key=now)
    own = bool(step.keeping) and (lock is None or lock.key != now.digest) and keeping.persists(step)
    seen = None if forced or step.always or own else recall(now.digest)
    if seen is not None and seen.outputs.keys() != set(step.outs):
        seen = None  # no entry of this key: who wrote it wants to write somewhere else
    return Item(step, "restore" if seen else "run", tuple(because), now, seen)


def _kept_otherwise(step: Step, lock: Lock, now: Key) -> Item | None:
    """Return what to do when nothing but the way is new in which outputs are kept."""
    if all(out.push and out.keep is None for out in lock.outputs.values()) and not step.keeping:
        return None
    from mlops_cli.pipeline.planning import reasons
    from mlops_cli.pipeline.traces.runcache import Seen

    because = tuple(reasons.KeepingChanged(path) for path in keeping.changed(step, lock))
    seen = Seen(lock.outputs, lock.metrics, lock.facts)
    return Item(step, "restore", because, now, seen) if because else None


def environment_of(step: Step, world: World) -> Mapping[str, str]:
    """Return the environment of `step` as it is part of its key."""
    return world.environments.get(step.name, world.environment)


def _outputs_only(step: Step, lock: Lock, paths: Mapping[str, str | None]) -> Item:
    from mlops_cli.pipeline.planning.because import of_outputs
    from mlops_cli.pipeline.traces.runcache import Seen

    because = tuple(of_outputs(lock, paths))
    seen = Seen(lock.outputs, lock.metrics, lock.facts)
    return Item(step, "restore" if because else "skip", because, Key(lock.key, lock.parts), seen)


def partial(graph: Graph, paths: Collection[str]) -> frozenset[str]:
    """Return those of `paths` that lie inside an output, or hold one, and change with it."""
    folders: set[str] = set()
    for out in graph.producers:
        while out := out.rpartition("/")[0]:
            folders.add(out)
    return frozenset(
        path
        for path in paths
        if path not in graph.producers
        and (path in folders or graph.producer(path) or (is_glob(path) and _made(path, graph)))
    )


def _made(pattern: str, graph: Graph) -> bool:
    return any(may_touch(pattern, out) for out in graph.producers)


def forget_parts(paths: dict[str, str | None], parts: Collection[str], step: Step) -> None:
    """Make those of `parts` unknown that change with the outputs of `step`."""
    for path in parts:
        pattern = is_glob(path)
        for out in step.outs:
            if (pattern and may_touch(path, out)) or under(path, out) or under(out, path):
                paths[path] = UNKNOWN


def lock_recall(
    locks: Mapping[str, Lock], recall: Recall, present: Callable[[str], bool]
) -> Recall:
    """Return a recall that also knows what the locks say, whose run cache may be elsewhere."""
    by_key = {lock.theirs.key: lock.theirs for lock in locks.values() if lock.theirs is not None}
    by_key |= {lock.key: lock for lock in locks.values()}

    def look(digest: str) -> Seen | None:
        lock = by_key.get(digest)
        if lock and all(present(out.digest) for out in lock.outputs.values()):
            from mlops_cli.pipeline.traces.runcache import Seen

            return Seen(lock.outputs, lock.metrics, lock.facts)
        return recall(digest)

    return look
