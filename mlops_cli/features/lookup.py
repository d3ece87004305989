"""Where a view and its rows are found, and its parts by name."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.pipeline.model.data import FeatureView
from mlops_cli.pipeline.model.pipeline import Pipeline


def of(pipeline: Pipeline, name: str) -> FeatureView:
    """Return the view `name`. Raises NotFound ("unknown-feature") with the names there are."""
    if name not in pipeline.features:
        known = ", ".join(pipeline.features) or "none yet"
        raise NotFound(
            f"pipeline.yaml has no features.{name}",
            code="unknown-feature",
            hint=f"there are: {known}",
            details={"name": name},
        )
    return pipeline.features[name]


def values_path(root: Path, name: str) -> Path:
    """Return where the rows of the view stand. Raises StateRefused ("not-built")."""
    path = root / "out" / "features" / name / "values.parquet"
    if not path.is_file():
        raise StateRefused(
            f"features.{name} has not been built here",
            code="not-built",
            hint=f"mlops feature build {name}",
            details={"name": name},
        )
    return path
