"""How a dataset is made: which columns it takes from where, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_cli.errors import ConfigError, StepFailed
from mlops_cli.features import check, view
from mlops_cli.pipeline.model.data import FeatureView, Source
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.training import DatasetDef

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which columns a dataset has, in their order: identity, extras, features, label."""

    dataset: DatasetDef
    spine: Source
    views: Mapping[str, FeatureView]
    task: str = "binary"
    slices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        if self.spine.label is None:
            raise ConfigError(
                f"{self.dataset.spine} has no label, so nothing can be trained on it",
                code="label-missing",
                hint=f"add `label: {{column: …, known_at: …}}` under {self.dataset.spine}",
            )
        return self.spine.label.column

    @property
    def identity(self) -> list[str]:
        time = [self.spine.time] if self.spine.time else []
        return list(dict.fromkeys([*self.spine.key, *time]))

    @property
    def known_at(self) -> str | None:
        return self.spine.label.known_at if self.spine.label else None

    @property
    def extras(self) -> list[str]:
        """Entities, slices, group, strata: known in advance, for reports, not for the model."""
        named = [part for spec in self.views.values() for part in spec.entity]
        group = [self.dataset.split.group] if self.dataset.split.group else []
        group += self.dataset.split.strata
        used = {*self.identity, *self.dataset.columns, *self.made, self.label}
        return [name for name in dict.fromkeys([*named, *self.slices, *group]) if name not in used]

    @property
    def made(self) -> dict[str, str]:
        return {
            column: dtype
            for name, spec in self.views.items()
            for column, dtype in view.columns(name, spec).items()
        }


def of(pipeline: Pipeline, train_name: str) -> Recipe:
    """Return the recipe of train.NAME. Raises ConfigError for a name that does not exist."""
    train = pipeline.train.get(train_name)
    if train is None:
        raise ConfigError(
            f"pipeline.yaml has no train.{train_name}",
            code="unknown-train",
            hint=f"there are {', '.join(pipeline.train) or 'none'}",
        )
    spine = pipeline.data[train.dataset.spine.removeprefix("data.")]
    views = {name: pipeline.features[name] for name in train.dataset.features}
    return Recipe(train.dataset, spine, views, pipeline.project.task, train.slices)


def dtypes(table: pa.Table, recipe: Recipe) -> dict[str, str]:
    """Return feature → dtype, columns of the spine first. Raises StepFailed ("wrong-type")."""
    found = {}
    for name in recipe.dataset.columns:
        kind = table.schema.field(name).type
        fitting = [dtype for dtype in ("int", "bool", "string", "float") if check.fits(kind, dtype)]
        if not fitting:
            raise StepFailed(
                f"the column {name!r} holds {kind}, which no model takes",
                code="wrong-type",
                hint=f"take {name!r} out of `columns`, or turn it into numbers or text",
                details={"column": name, "found": str(kind)},
            )
        found[name] = fitting[0]
    return found | recipe.made


def origin(name: str, recipe: Recipe) -> str:
    for owner, spec in recipe.views.items():
        if name in view.columns(owner, spec):
            return f"features.{owner}"
    return recipe.dataset.spine


def verify(recipe: Recipe) -> None:
    """Raise ConfigError where the parts of a dataset do not fit together."""
    if not recipe.dataset.as_known:
        raise ConfigError(
            "as_known: false would join features of the future",
            code="not-as-known",
            hint="take as_known out: features are always joined as they were known",
        )
    twice = sorted({*recipe.made} & {*recipe.dataset.columns})
    if twice or not (recipe.made or recipe.dataset.columns):
        raise ConfigError(
            f"{twice[0]!r} is both a column and a field of a view"
            if twice
            else "the dataset has neither features nor columns",
            code="contradictory-dataset",
            hint="correct train.NAME.dataset in pipeline.yaml",
        )
