"""How good scores are against labels: each metric with its formula, on float arrays [rows]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlops_cli import plugins
from mlops_cli.errors import ConfigError, NotFound

Array = npt.NDArray[Any]
TINY = 1e-7  # probabilities are kept this far from 0 and 1 in the logarithm (float32 resolution)


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of merit. `measure(label, score)` is NaN where the metric is undefined.

    Of a multiclass task label is the position of the class, score [rows, classes].
    """

    name: str
    measure: Callable[[Array, Array], float]
    greater_is_better: bool
    binary: bool  # labels must be 0 and 1 (positions of classes), scores probabilities

    def better(self, one: float, other: float) -> bool:
        """Return whether `one` is strictly better than `other`."""
        return one > other if self.greater_is_better else one < other


def find(name: str) -> Metric:
    """Return the metric `name`, a built-in one or a plug-in (entry point group mlops.metrics).

    Raises ConfigError ("unknown-metric").
    """
    try:
        found: Metric = plugins.load("mlops.metrics", name)
    except NotFound as exc:
        raise ConfigError(
            f"there is no metric {name!r}", code="unknown-metric", hint=exc.hint
        ) from exc
    return found


def ranks(values: Array) -> Array:
    """Return the mid-ranks of `values` from 1: equal values share the mean of their places."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    last = np.r_[first[1:], len(values)]
    placed = np.empty(len(values), np.float64)
    placed[order] = np.repeat((first + 1 + last) / 2, last - first)
    return placed


def _roc_auc(label: Array, score: Array) -> float:
    """The Mann-Whitney statistic over the pairs: P(score of a positive > that of a negative),
    ties half (Hanley and McNeil 1982, Radiology 143). No answer, NaN, has no rank."""
    if np.isnan(score).any():
        return float("nan")
    positive = label > 0.5
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return float("nan")
    return float((ranks(score)[positive].sum() - m * (m + 1) / 2) / (m * n))


def _log_loss(label: Array, score: Array) -> float:
    """-mean(ln p of the class that came), the negative log-likelihood of a row."""
    if score.ndim > 1:
        came = score[np.arange(len(label)), label.astype(np.int64)].astype(np.float64)
        return float(-np.mean(np.log(np.clip(came, TINY, 1))))
    p = np.clip(score.astype(np.float64), TINY, 1 - TINY)
    return float(-np.mean(np.where(label > 0.5, np.log(p), np.log1p(-p))))


def _brier(label: Array, score: Array) -> float:
    """mean((p - y)^2) (Brier 1950, Monthly Weather Review 78)."""
    return float(np.mean((score - label) ** 2))


def _accuracy(label: Array, score: Array) -> float:
    """The share of rows that are right, as `right` says."""
    return float(np.mean(right(label, score)))


def right(label: Array, score: Array) -> Array:
    """Return which rows are on the right side of one half; whose likeliest class came. No answer,
    NaN, is never right."""
    if score.ndim > 1:
        hits: Array = (score.argmax(1) == label) & ~np.isnan(score).any(1)
        return hits
    agreed: Array = ((score >= 0.5) == (label > 0.5)) & ~np.isnan(score)
    return agreed


def _macro_f1(label: Array, score: Array) -> float:
    """The mean over the classes that occur of 2 TP / (2 TP + FP + FN)."""
    if np.isnan(score).any():
        return float("nan")
    said = score.argmax(1) if score.ndim > 1 else score >= 0.5
    found = []
    for each in np.union1d(label, said):
        came, told = label == each, said == each
        found.append(2 * np.sum(came & told) / (came.sum() + told.sum()))
    return float(np.mean(found))


def _rmse(label: Array, score: Array) -> float:
    """sqrt(mean((p - y)^2))."""
    return float(np.sqrt(np.mean((score - label) ** 2)))


def _mae(label: Array, score: Array) -> float:
    """mean(|p - y|)."""
    return float(np.mean(np.abs(score - label)))


roc_auc = Metric("roc_auc", _roc_auc, greater_is_better=True, binary=True)
log_loss = Metric("log_loss", _log_loss, greater_is_better=False, binary=True)
brier = Metric("brier", _brier, greater_is_better=False, binary=True)
accuracy = Metric("accuracy", _accuracy, greater_is_better=True, binary=True)
macro_f1 = Metric("macro_f1", _macro_f1, greater_is_better=True, binary=True)
rmse = Metric("rmse", _rmse, greater_is_better=False, binary=False)
mae = Metric("mae", _mae, greater_is_better=False, binary=False)
