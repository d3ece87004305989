"""`mlruns/models/`: registered models and their versions, as MLflow's store of files has them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mlops_cli.integrations.mlflow.entity import Entity
from mlops_cli.integrations.mlflow.files import folders, shown
from mlops_cli.integrations.mlflow.notes import Notes
from mlops_cli.integrations.mlflow.values import whole


def models(notes: Notes) -> Iterator[tuple[Entity, list[Entity]]]:
    """Yield each registered model with its versions, oldest first."""
    for path in folders(notes.root / "models"):
        if model := notes.one("model", path, partial(_model, notes)):
            named = [one for one in folders(path) if _number(one)]
            found = [notes.one("version", one, partial(_version, notes)) for one in named]
            versions = [one for one in found if one is not None]
            yield model, sorted(versions, key=lambda one: int(one.facts["number"]))


def _number(path: Path) -> int | None:
    start, _, number = path.name.rpartition("-")
    return whole(number) if start == "version" else None


def _model(notes: Notes, path: Path) -> Entity:
    facts = notes.meta(
        path,
        created="creation_timestamp",
        updated="last_updated_timestamp",
        description="description",
    )
    facts["aliases"] = notes.texts(path / "aliases")
    return Entity("model", shown(path.name), facts, tags=notes.texts(path / "tags"))


def _version(notes: Notes, path: Path) -> Entity:
    facts = notes.meta(
        path,
        created="creation_timestamp",
        updated="last_updated_timestamp",
        description="description",
        user="user_id",
        stage="current_stage",
        source="source",
        artifacts="storage_location",
        run="run_id",
        logged_model="model_id",
        status="status",
        message="status_message",
    )
    model, number = shown(path.parent.name), _number(path)
    facts |= {"model": model, "number": number}
    return Entity("version", f"{model}/{number}", facts, tags=notes.texts(path / "tags"))
