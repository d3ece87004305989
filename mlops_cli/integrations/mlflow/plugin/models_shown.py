"""Our models and versions as MLflow's entities."""

from __future__ import annotations

from datetime import datetime

from mlflow.entities.model_registry import (
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
)

from mlops_cli.integrations.mlflow.book import Book
from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.integrations.mlflow.values import moment
from mlops_cli.registry.holdings import Holdings
from mlops_cli.registry.version import Version


def model(book: Book, thing: Entity, held: Holdings) -> RegisteredModel:
    """Return a model with its newest version and its aliases."""
    latest = [version(book, thing.id, one, held) for one in held.versions[-1:]]
    aliases = [
        RegisteredModelAlias(alias, str(event.version))
        for alias, event in held.current().items()
        if event.version is not None
    ]
    created = thing.facts.get("created") or (latest[0].creation_timestamp if latest else None)
    return RegisteredModel(
        thing.id,
        created,
        thing.facts.get("updated") or created,
        thing.facts.get("description"),
        latest,
        [RegisteredModelTag(key, value) for key, value in thing.tags.items()],
        aliases,
    )


def version(book: Book, name: str, one: Version, held: Holdings) -> ModelVersion:
    """Return a version: what its tag says, and what was said of it since."""
    said = one.payload.get("mlflow") or {}
    thing = book.get("version", f"{name}/{one.number}")
    facts = thing.facts if thing else said
    created = facts.get("created") or _milliseconds(one.payload["created"])
    aliases = [alias for alias, event in held.current().items() if event.version == one.number]
    tags = thing.tags if thing else said.get("tags") or {}
    return ModelVersion(
        name,
        str(one.number),
        created,
        facts.get("updated") or created,
        facts.get("description"),
        facts.get("user"),
        "None",
        facts.get("source") or "",
        facts.get("run"),
        tags=[ModelVersionTag(key, value) for key, value in tags.items()],
        run_link=facts.get("run_link"),
        aliases=aliases,
        model_id=facts.get("logged_model"),
    )


def _milliseconds(created: str) -> int:
    return int((datetime.fromisoformat(created) - moment(0)).total_seconds() * 1000)
