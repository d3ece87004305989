"""What a built view says of one entity at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlops_cli.errors import NotFound, StateRefused, UsageError
from mlops_cli.features import offline, read, view
from mlops_cli.pipeline.model import FeatureView, Pipeline


@dataclass(frozen=True, slots=True)
class Answer:
    """The columns of a view for one entity, as they were known at `at`."""

    entity: Mapping[str, Any]
    at: datetime
    values: Mapping[str, Any]


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


def look_up(
    root: Path, name: str, spec: FeatureView, entity: Mapping[str, str], *, at: datetime
) -> Answer:
    """Return what the view knew of `entity` (column → text as typed) at `at`.

    Raises UsageError ("wrong-entity") unless exactly the view's entity columns are given.
    """
    import pyarrow as pa

    if set(entity) != set(spec.entity):
        wanted = " ".join(f"{column}=…" for column in spec.entity)
        raise UsageError(
            f"the entity of features.{name} is {' and '.join(spec.entity)}",
            code="wrong-entity",
            hint=f"mlops feature get {name} {wanted}",
        )
    values = read.table(values_path(root, name).parent, "values.parquet")
    columns: dict[str, pa.Array] = {}
    for column in spec.entity:
        kind = values.schema.field(column).type
        try:
            columns[column] = pa.array([entity[column]]).cast(kind)
        except pa.ArrowInvalid as exc:
            raise UsageError(
                f"{entity[column]!r} is no value of {column!r}, which holds {kind}",
                code="wrong-entity",
            ) from exc
    moment = pa.array([at], pa.timestamp("us", tz="UTC"))
    spine = pa.table(columns | {"\0at": moment})
    found = offline.join(spine, time="\0at", views=[(name, spec, values)])
    return Answer(
        entity={column: columns[column][0].as_py() for column in spec.entity},
        at=at,
        values={column: found.column(column)[0].as_py() for column in view.columns(name, spec)},
    )
