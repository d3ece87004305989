"""What an alias means is judged again before it serves: a verdict in an event is a claim."""

from __future__ import annotations

from datetime import datetime

from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.reading.load import load
from mlops_cli.registry import gate
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.gate import Verdict
from mlops_cli.registry.protected import Protected
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version
from mlops_cli.training import evidence, policy
from mlops_cli.training.case import Case
from mlops_cli.training.parts import Parts
from mlops_cli.training.policy import Policy


def rejudge(
    parts: Parts, model: str, alias: str, version: int, *, protected: Protected
) -> Verdict | None:
    """Return the verdict on `version` of `model`, which `alias` means, on evidence gathered now.

    Rules and keys are those of the protected branch as it is today. What time does to data,
    drift and keys, and which champion was to beat, is as of the event. None where pipeline.yaml
    knows no such model: nothing is asked of it.
    Raises StateRefused ("gate-refused") naming the rules that are closed, "never-promoted" for a
    way back to a version that the alias never meant, and what `promote` raises.
    """
    try:
        pipeline = load(parts.root)
    except NotFound as exc:
        if exc.code != "missing-file":
            raise
        return None
    if model not in pipeline.models:
        return None
    event = decided(parts.registry, model, alias, version)
    candidate = parts.registry.version(model, version)
    asked = policy.policy(
        parts.git, pipeline, model, alias, protected=protected, candidate=candidate
    )
    verdict = again(parts, pipeline, candidate, event, asked, protected=protected)
    if not verdict.passed:
        raise StateRefused(
            f"{candidate.name} may not serve as {alias}, whatever {event.tag} says: "
            + "; ".join(f"{rule.name} ({rule.why})" for rule in verdict.closed),
            code="gate-refused",
            hint=f"promote a version whose gates are open; the policy is {asked.file}",
            details={"event": event.tag, "policy": asked.to_plain(), **verdict.plain()},
        )
    return verdict


def again(
    parts: Parts,
    pipeline: Pipeline,
    candidate: Version,
    event: AliasEvent,
    asked: Policy,
    *,
    protected: Protected,
) -> Verdict:
    """Return the verdict on `candidate` as of `event`, by what is asked today."""
    at = datetime.fromisoformat(event.payload["time"])
    case = Case(parts, pipeline, candidate, event.alias, protected, at, event.number)
    return gate.judge(asked.plain, evidence.gather(case, asked).shown)


def decided(registry: Registry, model: str, alias: str, version: int) -> AliasEvent:
    """Return the event that made `alias` mean `version`: of a way back, the one that first did."""
    events = registry.events(model, alias)
    last = events[-1] if events else None
    if last is None or last.version != version:
        raise StateRefused(
            f"{model}@{alias} does not mean v{version} any more",
            code="alias-moved",
            hint="run the same command again",
        )
    if last.action != "rollback":
        return last
    for event in events:
        if event.version == version and event.action != "rollback":
            return event
    raise StateRefused(
        f"{last.tag} goes back to v{version}, which {alias} never meant",
        code="never-promoted",
        hint=f"mlops models retire {model}@{alias} --reason WHY; mlops promote {model} {alias}",
        details={"event": last.tag},
    )
