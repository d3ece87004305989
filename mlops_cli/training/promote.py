"""An alias moves to another version when the gates of its policy open on evidence gathered now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_cli.errors import ConfigError, NotFound
from mlops_cli.ledger.record import record
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.model.training import Alias, Model
from mlops_cli.registry import gate
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.gate import Verdict
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version
from mlops_cli.training import evidence, register
from mlops_cli.training.parts import Parts


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was decided and on what evidence. `event` is None when it was refused or a dry run."""

    model: str
    alias: str
    version: Version
    former: int | None
    verdict: Verdict
    event: AliasEvent | None = None
    records: tuple[str, ...] = ()

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
    reason: str = "",
    dry_run: bool = False,
) -> Promotion:
    """Move `alias` of `model` to `version` (the newest when None) if every gate is open.

    Closed gates are an answer, not an error: the verdict names them and the alias stays. The
    comparison is recorded in either case; a dry run records nothing.
    Raises NotFound ("unknown-model", "unknown-version"), ConfigError ("unknown-alias"),
    StateRefused ("not-comparable", "alias-moved").
    """
    section = register.declared(pipeline, model)
    registry = Registry(parts.git)
    chosen = _chosen(registry, model, version)
    policy = to_plain(_policy(section, model, alias))
    current = registry.of(model).current()
    former = current.get(alias)
    if former is not None and former.version == chosen.number:
        rules = tuple(gate.Rule(**rule) for rule in former.payload.get("rules", ()))
        there = Verdict(True, rules)
        return Promotion(model, alias, chosen, chosen.number, there, former)
    shown, rivalries = evidence.gather(parts, pipeline, section, alias, chosen)
    verdict = gate.judge(policy, shown)
    before = former.version if former else None
    answer = Promotion(model, alias, chosen, before, verdict)
    if dry_run:
        return answer
    actor = str(parts.git.identity())
    kept = [
        record(
            "evaluation",
            time=now,
            actor=actor,
            run=None,
            model=model,
            challenger={"version": chosen.number, "digest": chosen.digest},
            champion={"version": each.champion.number, "digest": each.champion.digest},
            alias=name,
            rows=each.rows,
            metric=each.found.metric,
            result=each.found.to_plain(),
            verdict="promote" if verdict.passed else "keep",
        )
        for name, each in rivalries.items()
    ]
    event = None
    if verdict.passed:
        event = registry.move(
            model,
            alias,
            chosen,
            policy=policy,
            evidence=shown,
            actor=actor,
            reason=reason or f"every gate of {alias} is open",
            time=now,
            expected=former.number if former else 0,
        )
        kept.append(
            record(
                "promotion",
                time=now,
                actor=actor,
                parents=[str(each.digest) for each in kept],
                model=model,
                alias=alias,
                event=event.number,
                version=chosen.number,
                digest=chosen.digest,
                former=before,
                gates=[rule.plain() for rule in verdict.rules],
                reason=reason or f"every gate of {alias} is open",
            )
        )
    digests = tuple(str(digest) for digest in parts.ledger.append(*kept)) if kept else ()
    return Promotion(model, alias, chosen, before, verdict, event, digests)


def _chosen(registry: Registry, model: str, version: int | None) -> Version:
    if version is not None:
        return registry.version(model, version)
    versions = registry.versions(model)
    if not versions:
        raise NotFound(
            f"{model} has no version yet", code="unknown-version", hint=f"mlops register {model}"
        )
    return versions[-1]


def _policy(section: Model, model: str, alias: str) -> Alias:
    if alias not in section.aliases:
        known = ", ".join(section.aliases) or "none"
        raise ConfigError(
            f"pipeline.yaml has no alias {alias!r} of {model}",
            code="unknown-alias",
            hint=f"aliases of {model}: {known}",
        )
    return section.aliases[alias]
