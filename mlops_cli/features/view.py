"""The columns of a feature view: what it gives a model, and what it keeps to be able to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlops_cli.errors import ConfigError
from mlops_cli.features import instant
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.data import FeatureView


@dataclass(frozen=True, slots=True)
class Statistic:
    """One column of a windows view: a figure over the rows of the last `over` microseconds."""

    column: str
    figure: Literal["mean", "sum", "count"]
    of: str
    over: int

    @property
    def dtype(self) -> str:
        return "int" if self.figure == "count" else "float"


def columns(name: str, view: FeatureView) -> dict[str, str]:
    """Return column → int | float | string | bool, in the order a model sees them."""
    if view.windows:
        return {item.column: item.dtype for item in statistics(name, view)}
    return dict(view.fields)


def statistics(name: str, view: FeatureView) -> list[Statistic]:
    """Return the statistics of a windows view, named VIEW_WINDOW_OVER."""
    found = []
    for window, spec in view.windows.items():
        for figure in ("mean", "sum", "count"):
            of = getattr(spec, figure)
            if of is None:
                continue
            for over in spec.over:
                span = instant.span(duration(over))
                found.append(Statistic(f"{name}_{window}_{over}", figure, of, span))
    return found


def totals(view: FeatureView) -> dict[str, bool]:
    """Return the columns of which running totals are kept → whether sums are needed too."""
    needed: dict[str, bool] = {}
    for spec in view.windows.values():
        for of in (spec.mean, spec.sum):
            if of is not None:
                needed[of] = True
        if spec.count is not None:
            needed.setdefault(spec.count, False)
    return needed


def verify(name: str, view: FeatureView) -> None:
    """Raise ConfigError ("contradictory-view") where the parts of a view do not fit together."""
    why = None
    if view.windows and view.fields:
        why = "it has both fields and windows"
    elif not view.windows and not view.fields:
        why = "it has neither fields nor windows"
    elif view.transform and view.sql:
        why = "it has both a transform and sql"
    elif view.windows and view.ttl:
        why = "windows already say how far back they look, so a ttl has no meaning"
    elif {*view.fields} & {*view.entity, view.time}:
        why = "its entity and its time cannot be fields too"
    elif not view.entity:
        why = "it names no entity"
    elif any(
        sum(part is not None for part in (spec.mean, spec.sum, spec.count)) != 1
        for spec in view.windows.values()
    ):
        why = "a window needs exactly one of mean, sum, count"
    if why is not None:
        raise ConfigError(
            f"features.{name} contradicts itself: {why}",
            code="contradictory-view",
            hint=f"correct features.{name} in pipeline.yaml",
            details={"view": name},
        )
