"""Registered models become versions and aliases of the registry, by its own doors."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_cli.errors import MlopsError, StateRefused
from mlops_cli.integrations.mlflow import heads, told, versions
from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.integrations.mlflow.intake import Known, Parts
from mlops_cli.integrations.mlflow.policy import Policy, guards, policy, slug
from mlops_cli.integrations.mlflow.row import Row
from mlops_cli.integrations.mlflow.values import moment
from mlops_cli.integrations.mlflow.versions import Candidate, tell, why
from mlops_cli.registry.protected import Protected
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version


def bring(
    found: Iterable[tuple[Entity, list[Entity]]],
    parts: Parts,
    known: Known,
    *,
    registry: Registry,
    protected: Protected,
) -> None:
    """Register the versions and set the aliases that are not here yet; tell the others."""
    models: list[tuple[str, Entity, Policy]] = []
    wanted: list[Candidate] = []
    for model, its in found:
        try:
            name = slug(model.id)
        except MlopsError as exc:
            known.rows.append(Row("model", model.id, "refused", exc.message))
            continue
        rules = policy(protected, name)
        models.append((name, model, rules))
        wanted += versions.candidates(name, its, parts, known, rules)
    here = versions.register(wanted, parts, known, registry)
    for name, model, rules in models:
        _described(model, name, parts, known)
        for alias, number in model.facts.get("aliases", {}).items():
            version = here.get(f"{model.id}/{number}")
            _alias(name, alias, version, parts, known, registry, rules)


def _described(model: Entity, name: str, parts: Parts, known: Known) -> None:
    """Record what MLflow says of a registered model beside its versions and aliases."""
    thing = Entity("model", model.id, {**model.facts, "here": name}, tags=model.tags)
    thing.facts.pop("aliases", None)
    former = heads.thing(parts.index, "model", model.id)
    origin = told.Origin(parts.actor, former=former)
    time = moment(model.facts.get("updated") or model.facts.get("created"))
    fresh = told.thing_record(
        thing, origin, time=time, keep=lambda data: str(parts.cache.put(data))
    )
    if former is not None and told.same(former, fresh):
        known.rows.append(Row("model", model.id, "unchanged"))
        return
    known.rows.append(Row("model", model.id, "updated" if former else "imported"))
    if not parts.dry_run:
        parts.ledger.spool(fresh)


def _alias(
    name: str,
    alias: str,
    version: Version | None,
    parts: Parts,
    known: Known,
    registry: Registry,
    rules: Policy,
) -> None:
    shown = f"{name}@{alias}"
    try:
        if parts.dry_run:
            known.rows.append(Row("alias", shown, "imported", "where its version is"))
            return
        if version is None:
            raise StateRefused("its version was not imported", code="unknown-version")
        before = registry.alias(name, alias)
        if before is not None and before.version == version.number:
            known.rows.append(Row("alias", shown, "unchanged"))
            tell(before, parts, fresh=False)
            return
        if guards(rules, alias):
            raise StateRefused(
                "it has gates here",
                code="gate-closed",
                hint=f"mlops promote {version.name} {alias}",
            )
        if before is not None:
            raise StateRefused(
                f"it means v{before.version} here",
                code="alias-moved",
                hint=f"mlops promote {version.name} {alias}",
            )
        event = registry.move(
            name,
            alias,
            version,
            policy={},
            evidence={},
            actor=parts.actor,
            reason="as it was in MLflow",
            time=parts.now,
            expected=0,
            action="set",
        )
        tell(event, parts, fresh=True)
        known.rows.append(Row("alias", shown, "imported", f"it means v{version.number}"))
    except MlopsError as exc:
        known.rows.append(Row("alias", shown, "refused", why(exc)))
