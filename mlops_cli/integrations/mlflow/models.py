"""Registered models become versions and aliases of the registry, by its own doors.

A version is what its MLmodel names: that file's digest and format, its whole folder as the
bundle. No file of a model is loaded, here or anywhere in mlops.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from mlops_cli.errors import MlopsError, StateRefused
from mlops_cli.integrations.mlflow import heads, told
from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.integrations.mlflow.intake import Known, Parts
from mlops_cli.integrations.mlflow.mlmodel import look, payload_of
from mlops_cli.integrations.mlflow.policy import Policy, guards, policy, slug
from mlops_cli.integrations.mlflow.row import Row
from mlops_cli.integrations.mlflow.values import moment
from mlops_cli.ledger.record import timestamp
from mlops_cli.registry import records
from mlops_cli.registry.create import create
from mlops_cli.registry.protected import Protected
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.patch import find

_RUNS = re.compile(r"runs:/+([^/]+)/(.+)")


def bring(
    found: Iterable[tuple[Entity, list[Entity]]],
    parts: Parts,
    known: Known,
    *,
    registry: Registry,
    protected: Protected,
) -> None:
    """Register the versions and set the aliases that are not here yet; tell the others."""
    for model, versions in found:
        try:
            name = slug(model.id)
        except MlopsError as exc:
            known.rows.append(Row("model", model.id, "refused", exc.message))
            continue
        rules = policy(protected, name)
        here: dict[int, Version] = {}
        for version in versions:
            try:
                made = _version(name, version, parts, known, registry, rules)
            except MlopsError as exc:
                known.rows.append(Row("version", _shown(version), "refused", _why(exc)))
                continue
            if made is not None:
                here[int(version.facts["number"])] = made
        _described(model, name, parts, known)
        for alias, number in model.facts.get("aliases", {}).items():
            _alias(name, alias, here.get(int(number)), parts, known, registry, rules)


def _version(
    name: str,
    version: Entity,
    parts: Parts,
    known: Known,
    registry: Registry,
    rules: Policy,
) -> Version | None:
    tree = _tree(version, parts, known)
    if tree is None and parts.dry_run:
        known.rows.append(Row("version", _shown(version), "imported", "if its files are there"))
        return None
    if tree is None:
        raise StateRefused("its files are not here", code="missing-artifacts")
    model = look(parts.cache, tree)
    same = registry.find(name, model.digest)
    if same is not None:
        known.rows.append(Row("version", _shown(version), "unchanged", f"it is {same.name}"))
        return same
    if parts.dry_run and model.format in rules.formats:
        known.rows.append(Row("version", _shown(version), "imported"))
        return None
    run = known.records.get(str(version.facts.get("run")))
    created = moment(version.facts.get("created"))
    payload = payload_of(model, version, created=timestamp(created), actor=parts.actor, run=run)
    made, _ = create(registry, name, payload, allowed=rules.formats)
    parts.ledger.spool(records.of(made))
    known.rows.append(Row("version", _shown(version), "imported", f"it is {made.name}"))
    return made


def _tree(version: Entity, parts: Parts, known: Known) -> str | None:
    """Return the tree that the version was made of: a logged model, or a folder of a run."""
    facts = version.facts
    source = str(facts.get("source") or "")
    logged = facts.get("logged_model") or source.removeprefix("models:/")
    if tree := known.trees.get(str(logged)):
        return tree
    if match := _RUNS.fullmatch(source):
        return _below(parts.cache, known.trees.get(match[1]), match[2])
    run = str(facts.get("run"))
    path = unquote(urlsplit(source).path) if "://" in source else source
    _, mark, inner = path.partition(f"/{run}/artifacts/")
    if mark and (tree := _below(parts.cache, known.trees.get(run), inner)):
        return tree
    return parts.shelves.fetch(source) if source and not parts.dry_run else None


def _below(cache: Cache, tree: str | None, path: str) -> str | None:
    entry = find(cache, Digest.parse(tree), path.strip("/")) if tree else None
    return str(entry.digest) if entry is not None and entry.mode == "dir" else None


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
        parts.ledger.spool(records.of(event))
        known.rows.append(Row("alias", shown, "imported", f"it means v{version.number}"))
    except MlopsError as exc:
        known.rows.append(Row("alias", shown, "refused", _why(exc)))


def _shown(version: Entity) -> str:
    return f"{version.facts['model']}@v{version.facts['number']}"


def _why(exc: MlopsError) -> str:
    return f"{exc.message}; {exc.hint}" if exc.hint else exc.message
