"""How what a step makes now stands to what was recorded of it, and why it is another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from mlops_cli.errors import MlopsError
from mlops_cli.experiments.recorded import Expected
from mlops_cli.experiments.why import Difference, in_order, of_environments, of_parts
from mlops_cli.ledger.record import Record
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.traces import lock as locks
from mlops_cli.store.digest import Digest

if TYPE_CHECKING:
    from mlops_cli.pipeline.step import Step
    from mlops_cli.store.cache import Cache

Verdict = Literal["identical", "within tolerance", "differs"]
NAMED = 5  # files of a folder that are told


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one step. `outputs` maps those that differ to what was and what is now."""

    step: str
    verdict: Verdict
    outputs: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    metrics: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    because: tuple[Difference, ...] = ()
    error: str | None = None


def judge(
    graph: Graph,
    step: Step,
    expected: Expected,
    lock: locks.Lock | None,
    record: Record | None,
    before: Mapping[str, Judged],
) -> Judged:
    """Return how what a step made now stands to what it made then."""
    if lock is None:
        error = (record["error"] or {}).get("message") if record else None
        first = [name for name in graph.before[step.name] if name in before]
        blamed = () if record else _follows(first, before)
        because = blamed or tuple(_because(expected, record, None))
        return Judged(step.name, "differs", because=because, error=error or "it did not run")
    outputs = {
        path: (digest, lock.outputs[path].digest if path in lock.outputs else None)
        for path, digest in expected.outputs.items()
        if path not in lock.outputs or lock.outputs[path].digest != digest
    }
    if not outputs:
        return Judged(step.name, "identical")
    metrics = {
        name: (expected.metrics.get(name), lock.metrics.get(name))
        for name in dict.fromkeys([*expected.metrics, *lock.metrics])
        if expected.metrics.get(name) != lock.metrics.get(name)
    }
    because = tuple(in_order(_because(expected, record, lock)))
    verdict: Verdict = "differs"
    if step.determinism == "stochastic" or (
        step.determinism == "tolerant" and _close(step.tolerance, metrics)
    ):
        verdict = "within tolerance"
    made = {graph.producers[one.name] for one in because if one.name in graph.producers}
    own = tuple(one for one in because if graph.producers.get(one.name) not in before)
    return Judged(step.name, verdict, outputs, metrics, own or _follows(sorted(made), before))


def _follows(names: Sequence[str], before: Mapping[str, Judged]) -> tuple[Difference, ...]:
    return tuple(
        Difference("data", name, f"{name}, which comes first, {before[name].verdict}")
        for name in names
        if name in before and before[name].verdict != "identical"
    )


def _because(
    expected: Expected, record: Record | None, lock: locks.Lock | None
) -> list[Difference]:
    """Return all that is known to differ; that a step is not deterministic where nothing is."""
    found: list[Difference] = []
    if lock is not None and expected.parts is not None:
        found += of_parts(expected.parts, lock.parts)
    elif lock is not None and expected.key != lock.key:
        found.append(Difference("code", "key", "its key is another, and its parts are not known"))
    if record is not None and expected.environment is not None:
        found += of_environments(expected.environment, record["environment"])
    if not found and lock is not None:
        same = "all that its key is made of is the same: the step itself is not deterministic"
        found.append(Difference("determinism", "", same))
    return found


def _close(
    tolerance: Mapping[str, float], metrics: Mapping[str, tuple[float | None, float | None]]
) -> bool:
    """Tell whether every metric is as near as `tolerance` allows; what it does not name is not
    asked for. A step of which no metric is named promises nothing that could be checked."""
    named = {name: pair for name, pair in metrics.items() if name in tolerance}
    return bool(tolerance) and all(
        old is not None and new is not None and abs(old - new) <= tolerance[name]
        for name, (old, new) in named.items()
    )


def detailed(judged: Judged, cache: Cache) -> Judged:
    """Name the files by which two folders differ, where both are still known."""
    from mlops_cli.store.files.compare import changes

    found: dict[str, tuple[str, str | None]] = {}
    for path, (old, new) in judged.outputs.items():
        try:
            inside = changes(cache, Digest(old), Digest(str(new)), limit=NAMED) if new else []
        except (MlopsError, ValueError):
            inside = []  # a file, or its old listing is gone: the digest says enough
        for change in inside[:NAMED]:
            one, other = change.old, change.new
            was = str(one.digest) if one and one.digest else "nothing"
            found[f"{path}/{change.path}"] = was, str(other.digest) if other else None
        if not inside:
            found[path] = old, new
    return replace(judged, outputs=found)
