"""Is the challenger better than the champion, or just luckier on these rows? Paired tests.

All are one-sided: p is how likely a challenger that is no better than champion + margin would
look at least this good. Small p, then: promote.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_cli.errors import ConfigError
from mlops_cli.training import metrics
from mlops_cli.training.metrics import Array, Metric

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same rows; a positive `difference` favours the challenger."""

    metric: str
    test: str  # delong | mcnemar | bootstrap
    challenger: float
    champion: float
    difference: float
    margin: float
    p_value: float
    n: int

    def to_plain(self) -> dict[str, Any]:
        """Return the evidence as plain JSON."""
        return {
            "metric": self.metric,
            "test": self.test,
            "challenger": self.challenger,
            "champion": self.champion,
            "difference": self.difference,
            "margin": self.margin,
            "p_value": self.p_value,
            "n": self.n,
        }


def compare(
    label: Array,
    challenger: Array,
    champion: Array,
    *,
    metric: str,
    margin: float = 0.0,
    seed: int = 0,
) -> Comparison:
    """Return the evidence that `challenger` beats `champion` on `metric` by more than `margin`.

    Arrays are float64 [n], scores of classes [n, classes], the same rows in the same order.
    roc_auc is tested by DeLong, accuracy without a margin by McNemar, all else by the bootstrap.
    Raises ConfigError ("metric-undefined") when the rows do not define the metric.
    """
    measured = metrics.find(metric)
    ours, theirs = measured.measure(label, challenger), measured.measure(label, champion)
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        raise ConfigError(
            f"{metric} is undefined on these {len(label)} rows",
            code="metric-undefined",
            hint="compare on rows that hold both classes",
        )
    if metric == "roc_auc":
        test, p_value = "delong", delong(label, challenger, champion, margin=margin)
    elif metric == "accuracy" and not margin:
        right, wrong = metrics.right(label, challenger), ~metrics.right(label, champion)
        test, p_value = "mcnemar", mcnemar(int((right & wrong).sum()), int((~right & ~wrong).sum()))
    else:
        test = "bootstrap"
        p_value = bootstrap(label, challenger, champion, metric=measured, margin=margin, seed=seed)
    gain = ours - theirs if measured.greater_is_better else theirs - ours
    return Comparison(metric, test, ours, theirs, gain, margin, p_value, len(label))


def delong(label: Array, challenger: Array, champion: Array, *, margin: float = 0.0) -> float:
    """Return the one-sided p of AUC(challenger) - AUC(champion) <= margin.

    DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44; placements by mid-ranks as in Sun and
    Xu (2014), IEEE Signal Processing Letters 21, so n log n.
    """
    positive = label > 0.5
    one, two = _placements(challenger, positive), _placements(champion, positive)
    gap = one[0] - two[0]  # of each positive: its share of negatives below, and the difference
    rest = one[1] - two[1]
    m, n = len(gap), len(rest)
    if m < 2 or n < 2:
        return 1.0
    variance = float(gap.var(ddof=1) / m + rest.var(ddof=1) / n)
    difference = float(gap.mean()) - margin
    if variance <= 0.0:  # the same ranking twice
        return 0.0 if difference > 0 else 1.0
    return 0.5 * math.erfc(difference / math.sqrt(2 * variance))


def _placements(score: Array, positive: Array) -> tuple[Array, Array]:
    together = metrics.ranks(score)
    m, n = int(positive.sum()), int((~positive).sum())
    above = (together[positive] - metrics.ranks(score[positive])) / max(n, 1)
    below = 1.0 - (together[~positive] - metrics.ranks(score[~positive])) / max(m, 1)
    return above, below


def mcnemar(won: int, lost: int) -> float:
    """Return the exact one-sided p of `won` rows only the challenger got right, `lost` the other.

    McNemar (1947), Psychometrika 12; exact binomial form: P(X >= won), X ~ B(won + lost, 1/2).
    """
    n = won + lost
    if not n:
        return 1.0
    log_half = n * math.log(0.5)
    terms = (
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + log_half
        for k in range(won, n + 1)
    )
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def bootstrap(
    label: Array,
    challenger: Array,
    champion: Array,
    *,
    metric: Metric,
    margin: float = 0.0,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> float:
    """Return the one-sided p of any metric: the share of resampled rows that show no gain.

    Rows are drawn with replacement, the same for both models; (1 + hits) / (1 + resamples), so
    never zero (Davison and Hinkley 1997, Bootstrap Methods, chapter 4).
    """
    draw = np.random.default_rng(seed)
    sign = 1.0 if metric.greater_is_better else -1.0
    hits = 0
    for _ in range(resamples):
        rows = draw.integers(0, len(label), len(label))
        truth = label[rows]
        gain = metric.measure(truth, challenger[rows]) - metric.measure(truth, champion[rows])
        hits += not sign * gain > margin  # an undefined gain is no gain
    return (1 + hits) / (1 + resamples)
