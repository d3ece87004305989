"""Which features a server looks up by itself: view, entity and columns, as deploy wrote it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from mlops_cli import plugins
from mlops_cli.errors import NotFound
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.serving import Deployment


@dataclass(frozen=True, slots=True)
class View:
    """One view in the store; `entity`: column → string | int | bool; `ttl` in microseconds."""

    name: str
    entity: Mapping[str, str]
    columns: tuple[str, ...]
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """The kind of store, what a missing entity means (default | refuse), and the views."""

    store: str
    missing: str
    views: tuple[View, ...]


def of(pipeline: Pipeline, deployment: Deployment, root: Path) -> Recipe | None:
    """Return the recipe for the model of `deployment`, None where it looks nothing up.

    Columns and entities are what the store holds now. Raises NotFound ("not-materialized",
    "unknown-plugin").
    """
    if deployment.features is None:
        return None
    model = pipeline.models[deployment.model.partition("@")[0]]
    names = pipeline.train[model.source.removeprefix("train.")].dataset.features
    store = plugins.load("mlops.online_stores", deployment.features.online)(root)
    views = []
    try:
        for name in names:
            about = store.about(name)
            if about is None:
                raise NotFound(
                    f"features.{name} is not in the online store, from which this deployment "
                    "shall serve it",
                    code="not-materialized",
                    hint=f"mlops feature materialize {' '.join(names)}",
                    details={"view": name},
                )
            ttl = pipeline.features[name].ttl
            span = None if ttl is None else duration(ttl) // timedelta(microseconds=1)
            layout = about.layout
            views.append(View(name, dict(layout.entity), tuple(layout.columns), span))
    finally:
        store.close()
    return Recipe(deployment.features.online, deployment.features.missing, tuple(views))


def to_plain(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as plain values, nothing left to a default.

    The columns of an entity are pairs in a list: their order is part of the key, and JSON that is
    sorted would lose it.
    """
    return {
        "online": recipe.store,
        "missing": recipe.missing,
        "views": {
            view.name: {
                "entity": [list(pair) for pair in view.entity.items()],
                "columns": list(view.columns),
                "ttl": view.ttl,
            }
            for view in recipe.views
        },
    }


def from_plain(value: Mapping[str, Any] | None) -> Recipe | None:
    """Return the recipe in `value`; raises KeyError or TypeError for what is none."""
    if value is None:
        return None
    views = tuple(
        View(name, dict(item["entity"]), tuple(item["columns"]), item["ttl"])
        for name, item in value["views"].items()
    )
    return Recipe(str(value["online"]), str(value["missing"]), views)
