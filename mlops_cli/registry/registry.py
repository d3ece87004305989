"""The models of a project, read from its tags: versions, aliases, and what a name means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.ledger.record import plain, timestamp
from mlops_cli.registry import alias as alias_tags
from mlops_cli.registry import version as version_tags
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.formats import ALLOWED
from mlops_cli.registry.gate import judge
from mlops_cli.registry.holdings import Holdings, gathered
from mlops_cli.registry.version import Version, check_name
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git

TRIES = 50


@dataclass(frozen=True, slots=True)
class Registry:
    """The registry of a repository. Every question costs one git process."""

    git: Git

    def holdings(self, model: str | None = None) -> dict[str, Holdings]:
        """Return model → its holdings, for all models or the one named."""
        prefix = f"mlops/{check_name(model)}/" if model else "mlops/"
        return gathered(tags.listing(self.git, prefix))

    def of(self, model: str) -> Holdings:
        """Return the holdings of `model`, empty where it has none."""
        return self.holdings(model).get(model) or Holdings(model, (), {})

    def models(self) -> list[str]:
        """Return the names of all models, sorted."""
        return list(self.holdings())

    def versions(self, model: str) -> list[Version]:
        """Return the versions of `model`, oldest first."""
        return list(self.of(model).versions)

    def version(self, model: str, number: int) -> Version:
        """Return version `number`. Raises NotFound ("unknown-version")."""
        return _pick(self.of(model), number)

    def find(self, model: str, digest: str) -> Version | None:
        """Return the version of `model` whose model file has `digest`, if there is one."""
        return next((v for v in self.versions(model) if v.payload.get("digest") == digest), None)

    def create(self, model: str, payload: Mapping[str, Any]) -> Version:
        """Register `payload` as the next version of `model`, or return the one of the same digest.

        Model, number and schema are filled in; `payload` must hold digest, format and created
        (an ISO time). git gives the number: of two processes at once each gets its own, or both
        get the one version when they bring the same model.
        Raises StateRefused ("format-not-allowed", "no-commit", "no-identity").
        """
        check_name(model)
        digest = Digest.parse(payload["digest"])
        if payload["format"] not in ALLOWED:
            raise StateRefused(
                f"a model of format {payload['format']!r} may not be registered",
                code="format-not-allowed",
                hint=f"allowed are {', '.join(ALLOWED)}",
            )
        for _ in range(TRIES):
            known = self.versions(model)
            if same := next((v for v in known if v.payload.get("digest") == digest), None):
                return same
            number = known[-1].number + 1 if known else 1
            filled = plain(
                {**payload, "schema": version_tags.SCHEMA, "model": model, "version": number}
            )
            name = f"mlops/{model}/v{number}"
            when = datetime.fromisoformat(filled["created"])
            if tags.create(self.git, name, filled, subject=f"{model} v{number}", time=when):
                return self.version(model, number)
        raise _contended(f"mlops/{model}")

    def alias(self, model: str, name: str) -> AliasEvent | None:
        """Return the last event of the alias, None where it never had one."""
        return self.of(model).current().get(check_name(name, what="alias"))

    def move(
        self,
        model: str,
        alias: str,
        version: Version | int | None,
        *,
        policy: Mapping[str, Any],
        evidence: Mapping[str, Any],
        actor: str,
        reason: str,
        time: datetime,
        expected: int | None = None,
    ) -> AliasEvent:
        """Make `alias` mean `version` (None retires it) by one further event, and return it.

        The event keeps the digest of the policy, every rule with its evidence, and the digest of
        the event before. Already there: that event is returned. `expected` is the number of the
        event the evidence was gathered against (0: none); without it, the present one.
        Raises StateRefused ("gate-closed", "alias-moved" naming who was first), NotFound.
        """
        check_name(alias, what="alias")
        holdings = self.of(model)
        number = version.number if isinstance(version, Version) else version
        target = _pick(holdings, number) if number is not None else None
        former = holdings.current().get(alias)
        if former is not None and former.version == number:
            return former
        at = former.number if former else 0
        if expected is not None and former is not None and at != expected:
            raise _moved(former)
        verdict = judge(policy, evidence)
        if not verdict.passed:
            closed = [rule for rule in verdict.rules if not rule.passed]
            raise StateRefused(
                f"{model}@v{number} may not become {alias}: "
                + "; ".join(f"{rule.name} ({rule.why})" for rule in closed),
                code="gate-closed",
                hint=f"mlops models show {model}@v{number}",
                details=verdict.plain(),
            )
        payload = plain(
            {
                "schema": alias_tags.SCHEMA,
                "model": model,
                "alias": alias,
                "event": at + 1,
                "version": number,
                "digest": target.digest if target else None,
                "previous": former.digest if former else None,
                "policy": Digest.of(canonical_json(plain(policy))),
                "rules": [rule.plain() for rule in verdict.rules],
                "approvals": evidence.get("approvals") or [],
                "actor": actor,
                "reason": reason,
                "time": timestamp(time),
            }
        )
        subject = f"{model}@{alias} is v{number}" if target else f"{model}@{alias} is retired"
        name = f"mlops/{model}/@{alias}/{at + 1}"
        commit = target.commit if target else "HEAD"
        won = tags.create(self.git, name, payload, subject=subject, time=time, target=commit)
        events = self.of(model).aliases.get(alias, ())
        present = next((event for event in events if event.number == at + 1), None)
        if present is None:
            raise _contended(name)
        if not won:
            raise _moved(present)
        return present

    def resolve(self, text: str) -> Version:
        """Return the version that "delay@production", "delay@v3" or "delay" (the newest) means.

        Raises NotFound ("unknown-model", "unknown-version", "unknown-alias") with what there is.
        """
        model, _, which = text.partition("@")
        holdings = self.of(model)
        if not holdings.versions:
            known = ", ".join(self.models()) or "none yet"
            raise NotFound(
                f"there is no model {model!r}", code="unknown-model", hint=f"models: {known}"
            )
        if not which:
            return holdings.versions[-1]
        digits = which.removeprefix("v")
        if digits.isdecimal():
            return _pick(holdings, int(digits))
        event = holdings.current().get(which)
        if event is None or event.version is None:
            known = ", ".join(sorted(holdings.aliases)) or "none yet"
            state = "has no version any more" if event else "does not exist"
            raise NotFound(
                f"the alias {model}@{which} {state}",
                code="unknown-alias",
                hint=f"aliases of {model}: {known}; mlops promote {model} {which}",
            )
        return _pick(holdings, event.version)


def _pick(holdings: Holdings, number: int) -> Version:
    for version in holdings.versions:
        if version.number == number:
            return version
    known = ", ".join(f"v{version.number}" for version in holdings.versions) or "none yet"
    raise NotFound(
        f"{holdings.model} has no version {number}",
        code="unknown-version",
        hint=f"versions of {holdings.model}: {known}",
    )


def _moved(winner: AliasEvent) -> StateRefused:
    return StateRefused(
        f"{winner.name} was moved to v{winner.version} meanwhile, by {winner.payload.get('actor')}",
        code="alias-moved",
        hint="gather the evidence against the new one: run the same command again",
        details={"tag": winner.tag, "version": winner.version, "digest": winner.digest},
    )


def _contended(name: str) -> StateRefused:
    return StateRefused(
        f"other processes kept creating {name}", code="git-busy", hint="run the same command again"
    )
