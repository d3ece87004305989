"""An alias moves to another version when the gates of its policy open on evidence gathered now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mlops_cli.ledger.record import Record, record
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.registry import approval, gate, records
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.gate import Verdict
from mlops_cli.registry.protected import Protected
from mlops_cli.registry.rules.people import Approvals
from mlops_cli.registry.rules.reuse import Reuse
from mlops_cli.registry.version import Version
from mlops_cli.training import evidence, policy, register, rejudge
from mlops_cli.training.case import Case
from mlops_cli.training.evidence import Gathered
from mlops_cli.training.parts import Parts
from mlops_cli.training.policy import Policy


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was decided and on what evidence. `event` is None when it was refused or a dry run."""

    model: str
    alias: str
    version: Version
    former: int | None
    verdict: Verdict
    policy: Policy
    event: AliasEvent | None = None
    records: tuple[str, ...] = ()
    lost: int | None = None  # an event that the ledger knows, and that has no tag here

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be told beside the verdict."""
        if self.lost is None:
            return self.policy.notes
        name = f"{self.model}@{self.alias}"
        why = f"the ledger knows event {self.lost} of {name}, and its tag is not here"
        return (*self.policy.notes, f"event-missing: {why}: mlops verify {name}")

    @property
    def moved(self) -> bool:
        """Return whether the alias means another version than before."""
        return self.event is not None and self.former != self.version.number

    def to_plain(self) -> dict[str, Any]:
        """Return the promotion as plain JSON."""
        return {
            "model": self.model,
            "alias": self.alias,
            "version": self.version.number,
            "digest": self.version.digest,
            "former": self.former,
            "passed": self.verdict.passed,
            "moved": self.moved,
            "event": self.event.number if self.event else None,
            "tag": self.event.tag if self.event else None,
            "policy": self.policy.to_plain(),
            "rules": [rule.plain() for rule in self.verdict.rules],
            "records": list(self.records),
        }


def promote(
    parts: Parts,
    pipeline: Pipeline,
    model: str,
    alias: str,
    version: int | None = None,
    *,
    now: datetime,
    protected: Protected,
    reason: str = "",
    dry_run: bool = False,
) -> Promotion:
    """Move `alias` of `model` to `version` (the newest when None) if every gate is open.

    Closed gates are an answer, not an error: the verdict names them and the alias stays. The
    comparison is recorded in either case; a dry run records nothing.
    Raises NotFound ("unknown-model", "unknown-version"), ConfigError ("unknown-alias", and what is
    wrong in a policy), StateRefused ("not-comparable", "alias-moved", "policy-of-candidate").
    """
    register.declared(pipeline, model)
    registry = parts.registry
    chosen = registry.version(model, version) if version is not None else registry.newest(model)
    former = registry.alias(model, alias)
    asked = policy.policy(parts.git, pipeline, model, alias, protected=protected, candidate=chosen)
    before = former.version if former else None
    lost = records.later(parts.git, model, alias, former.number if former else 0)
    asks = _all_rules(asked, alias)
    if registry.remote is not None and any(isinstance(rule, Approvals) for rule in asks):
        approval.fetch(parts.git, chosen, alias, registry.remote)
    if former is not None and before == chosen.number:
        if not dry_run:  # a process that died may owe the record of the event
            records.settle(registry, parts.ledger, model)
        since = rejudge.decided(registry, model, alias, chosen.number)
        found = rejudge.again(parts, pipeline, chosen, since, asked, protected=protected)
        return Promotion(model, alias, chosen, before, found, asked, former, lost=lost)
    case = Case(parts, pipeline, chosen, alias, protected, now)
    shown = evidence.gather(case, asked)
    verdict = gate.judge(asked.plain, shown.shown)
    answer = Promotion(model, alias, chosen, before, verdict, asked, lost=lost)
    if dry_run:
        return answer
    actor = str(parts.git.identity())
    kept = _evaluations(answer, shown, now=now, actor=actor)
    digests = [str(digest) for digest in parts.ledger.append(*kept)] if kept else []
    event = None
    if verdict.passed:
        event = registry.move(
            model,
            alias,
            chosen,
            policy=asked.plain,
            evidence=shown.shown,
            actor=actor,
            reason=reason or f"every gate of {alias} is open",
            time=now,
            expected=former.number if former else 0,
            parents=tuple(digests),
            policy_from=_from(asked),
        )
        digests += records.settle(registry, parts.ledger, model)
    return replace(answer, event=event, records=tuple(digests))


def _evaluations(answer: Promotion, shown: Gathered, *, now: datetime, actor: str) -> list[Record]:
    """Return a record of each comparison, and one of the decision alone where a rule counts how
    often the test rows are used: it was one more use of them."""
    chosen, verdict = answer.version, "promote" if answer.verdict.passed else "keep"
    common: dict[str, Any] = {
        "time": now,
        "actor": actor,
        "run": None,
        "model": answer.model,
        "challenger": {"version": chosen.number, "digest": chosen.digest},
        "rows": shown.rows,
        "dataset": chosen.payload.get("dataset"),
        "verdict": verdict,
    }
    kept = [
        record(
            "evaluation",
            **common,
            champion={"version": each.champion.number, "digest": each.champion.digest},
            alias=each.alias,
            metric=each.found.metric,
            result=each.found.to_plain(),
        )
        for each in shown.rivalries
    ]
    counts = any(isinstance(rule, Reuse) for rule in _all_rules(answer.policy, answer.alias))
    if counts and shown.rows is not None and not kept:
        metric = f"gates of {answer.alias}"
        kept = [
            record(
                "evaluation", **common, champion=None, alias=answer.alias, metric=metric, result={}
            )
        ]
    return kept


def _all_rules(asked: Policy, alias: str) -> list[Any]:
    """Return the rules of an alias and of those that it builds on."""
    plain = asked.of(alias)
    below = [rule for name in plain.get("aliases", ()) for rule in _all_rules(asked, name)]
    return [*gate.rules(plain), *below]


def _from(asked: Policy) -> dict[str, Any] | None:
    if asked.commit is None:
        return None
    return {"file": asked.file, "branch": asked.branch, "commit": asked.commit}
