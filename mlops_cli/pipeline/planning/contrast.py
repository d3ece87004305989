"""A step as it is now against what its lock said at a revision: which parts of the key differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import NotFound
from mlops_cli.pipeline.globs import spelled_out
from mlops_cli.pipeline.keys.key import UNKNOWN, key
from mlops_cli.pipeline.planning import reasons
from mlops_cli.pipeline.planning.differences import differences
from mlops_cli.pipeline.planning.plan import Item, environment_of
from mlops_cli.pipeline.planning.prospect import Prospect
from mlops_cli.pipeline.traces.lock import Lock, path_of, read_lock

if TYPE_CHECKING:
    from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Contrast:
    """What differs since `commit`. `outputs` maps those that are other ones to then and now;
    `later` are steps that have to run before all inputs can be compared."""

    commit: str
    then: Lock
    because: tuple[reasons.Reason, ...]
    outputs: Mapping[str, tuple[str | None, str | None]]
    later: tuple[str, ...] = ()


def contrast(found: Prospect, name: str, git: Git, revision: str) -> Contrast:
    """Return how the step `name` stands to its lock at `revision`.

    Raises NotFound ("unknown-revision"; "no-lock-there" where it had none), IntegrityError.
    """
    commit = git.rev_parse(revision)
    data = git.show(commit, path_of(name))
    if data is None:
        raise NotFound(
            f"{name} has no lock at {revision}",
            code="no-lock-there",
            hint=f"git log --oneline -- {path_of(name)}",
            details={"step": name, "revision": revision},
        )
    then = read_lock(data, step=name)
    items = {item.step.name: item for item in found.plan.items}
    parts = parts_now(found, items[name])
    unknown = {path for path, digest in parts.get("inputs", {}).items() if digest == UNKNOWN}
    because = [
        reason
        for reason in differences(then.parts, parts)
        if not (isinstance(reason, reasons.InputChanged) and reason.path in unknown)
    ]
    lock = found.locks.get(name)
    before = {path: out.digest for path, out in then.outputs.items()}
    after = {path: out.digest for path, out in lock.outputs.items()} if lock else {}
    outputs = {
        path: (before.get(path), after.get(path))
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    }
    makers = (found.graph.producer(path) for path in sorted(unknown))
    later = tuple(dict.fromkeys(maker for maker in makers if maker))
    return Contrast(commit, then, tuple(because), outputs, later)


def parts_now(found: Prospect, item: Item) -> Mapping[str, Any]:
    """Return the parts of the key of a step as they are; inputs that a stale step makes are
    UNKNOWN."""
    if item.key is not None and not item.step.frozen:
        return item.key.parts
    step, world = item.step, found.world
    stale = {one.step.name for one in found.plan.items if one.action in ("run", "blocked")}
    deps = spelled_out(step.deps, world.paths, world.globs)
    made = {path: found.graph.producer(path) for path in deps}
    inputs = {path: UNKNOWN if made[path] in stale else world.paths.get(path) for path in deps}
    return key(
        step,
        inputs={path: digest for path, digest in inputs.items() if digest is not None},
        params={ref: world.params.get(ref) for ref in step.params},
        code=world.code.get(step.name, {}),
        environment=environment_of(step, world),
        variables={name: world.variables.get(name) for name in step.variables},
    ).parts
