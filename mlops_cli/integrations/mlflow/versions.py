"""Versions of MLflow's registry become versions of ours, by its own door: many at once.

A version is what its MLmodel names: that file's digest and format, its whole folder as the
bundle. No file of a model is loaded, here or anywhere in mlops.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from mlops_cli.errors import MlopsError, StateRefused
from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.integrations.mlflow.intake import Known, Parts
from mlops_cli.integrations.mlflow.mlmodel import look, payload_of
from mlops_cli.integrations.mlflow.policy import Policy
from mlops_cli.integrations.mlflow.row import Row, State
from mlops_cli.integrations.mlflow.values import moment
from mlops_cli.ledger.record import timestamp
from mlops_cli.registry import records
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.create import admit, create_all
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.patch import find

_RUNS = re.compile(r"runs:/+([^/]+)/(.+)")
Here = dict[str, Version]  # the id of a version there → the version here


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version whose files are here and whose format was let in."""

    id: str
    model: str
    shown: str
    payload: dict[str, Any]


def candidates(
    name: str, versions: Iterable[Entity], parts: Parts, known: Known, rules: Policy
) -> Iterator[Candidate]:
    """Yield the versions of the model `name` that can be registered; tell of the others."""
    for version in versions:
        facts = version.facts
        shown = f"{facts['model']}@v{facts['number']}"
        try:
            tree = _tree(version, parts, known)
            if tree is None and parts.dry_run:
                known.rows.append(Row("version", shown, "imported", "if its files are there"))
                continue
            if tree is None:
                raise StateRefused("its files are not here", code="missing-artifacts")
            model = look(parts.cache, tree)
            run, created = known.records.get(str(facts.get("run"))), moment(facts.get("created"))
            payload = payload_of(
                model, version, created=timestamp(created), actor=parts.actor, run=run
            )
            admit(payload, rules.formats)
            yield Candidate(version.id, name, shown, payload)
        except MlopsError as exc:
            known.rows.append(Row("version", shown, "refused", why(exc)))


def register(found: list[Candidate], parts: Parts, known: Known, registry: Registry) -> Here:
    """Register all that were found, and return what they are here."""
    if parts.dry_run:
        given = _as_they_are(found, registry)
    else:
        given = list(create_all(registry, [(one.model, one.payload) for one in found]))
    here: Here = {}
    for one, (version, fresh) in zip(found, given, strict=True):
        state: State = "imported" if fresh else "unchanged"
        reason = f"it is {version.name}" if version else ""
        known.rows.append(Row("version", one.shown, state, reason))
        if version is not None:
            here[one.id] = version
            tell(version, parts, fresh=fresh)
    return here


def tell(one: Version | AliasEvent, parts: Parts, *, fresh: bool) -> None:
    """Record a tag; also one of an import that was cut short before it did."""
    mine = one.payload.get("actor") == parts.actor
    if not parts.dry_run and (fresh or (mine and not records.recorded(parts.index, one))):
        parts.ledger.spool(records.of(one))


def _as_they_are(found: list[Candidate], registry: Registry) -> list[tuple[Version | None, bool]]:
    """Return which of them are versions in this clone; the others would be made."""
    names = {one.model for one in found}
    known = {(name, one.digest): one for name in names for one in registry.versions(name)}
    same = [known.get((one.model, Digest.parse(one.payload["digest"]))) for one in found]
    return [(version, version is None) for version in same]


def why(exc: MlopsError) -> str:
    """Return the reason of a row: what is so, and what helps."""
    return f"{exc.message}; {exc.hint}" if exc.hint else exc.message


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
