"""Names that must exist and metrics that must fit, wherever pipeline.yaml mentions them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.words.document import Place, meant, refuse

Where = Callable[..., Place]  # the words of a path in pipeline.yaml → where it stands
METRICS: dict[str, tuple[str, ...]] = {
    "binary": ("roc_auc", "log_loss", "brier", "accuracy"),
    "multiclass": ("log_loss", "accuracy", "macro_f1"),
    "regression": ("rmse", "mae"),
}


def known(name: str, prefix: str, names: Iterable[str], place: Place, what: str) -> str:
    """Return the name behind "prefix.name"; raises "unknown-reference"."""
    words = [f"{prefix}{item}" for item in names]
    if name not in words:
        raise refuse(
            place,
            f"{what} {name!r} does not exist",
            code="unknown-reference",
            hint=meant(name, words),
            reference=name,
        )
    return name.removeprefix(prefix)


def fitting_metric(pipeline: Pipeline, metric: str, place: Place) -> None:
    task = pipeline.project.task
    fitting = METRICS.get(task)
    if fitting is not None and metric not in fitting:
        raise refuse(
            place,
            f"the metric {metric!r} does not fit the task {task!r}",
            code="metric-does-not-fit-task",
            hint=meant(metric, fitting),
            metric=metric,
            task=task,
        )


def near_miss(name: str, prefix: str, names: Iterable[str]) -> bool:
    """Return whether `name` is no "prefix.name" and so like one that it was surely meant."""
    import difflib

    words = [f"{prefix}{item}" for item in names]
    return name not in words and bool(difflib.get_close_matches(name, words, n=1, cutoff=0.75))
