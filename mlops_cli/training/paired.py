"""Is the challenger better than the champion, or just luckier on these rows? Paired tests.

All are one-sided: p is how likely a challenger that is no better than champion + margin would
look at least this good. Small p, then: promote. A margin below zero asks whether it is not worse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_cli.errors import ConfigError
from mlops_cli.training import metrics
from mlops_cli.training.metrics import Array, Metric
from mlops_cli.training.tested import LEVEL, Tested, around, lacking

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
    interval: tuple[float, float] | None = None  # in which the difference is, at LEVEL
    more: int | None = None  # rows still needed to show this difference, if it is real

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
            "interval": list(self.interval) if self.interval else None,
            "more": self.more,
        }


def compare(
    label: Array,
    challenger: Array,
    champion: Array,
    *,
    metric: str,
    margin: float = 0.0,
    alpha: float = 0.05,
    seed: int = 0,
) -> Comparison:
    """Return the evidence that `challenger` beats `champion` on `metric` by more than `margin`.

    Arrays are float64 [n], scores of classes [n, classes], the same rows in the same order.
    roc_auc is tested by DeLong, accuracy without a margin by McNemar, all else by the bootstrap.
    Where p is not below `alpha`, `more` is how many rows a test of the same kind lacks.
    Raises ConfigError ("metric-undefined") when the rows do not define the metric.
    """
    measured = metrics.find(metric)
    ours, theirs = measured.measure(label, challenger), measured.measure(label, champion)
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        raise ConfigError(
            f"{metric} is undefined on these {len(label)} rows",
            code="metric-undefined",
            hint="compare on rows that hold both classes, of models that answer each row",
        )
    gain = ours - theirs if measured.greater_is_better else theirs - ours
    if metric == "roc_auc":
        test, found = "delong", _delong(label, challenger, champion, margin)
    elif metric == "accuracy" and not margin:
        right, wrong = metrics.right(label, challenger), ~metrics.right(label, champion)
        won, lost = int((right & wrong).sum()), int((~right & ~wrong).sum())
        test, found = "mcnemar", _mcnemar(won, lost, len(label))
    else:
        test = "bootstrap"
        found = _bootstrap(label, challenger, champion, measured, margin, seed, RESAMPLES)
    more = None
    if found.p_value >= alpha:
        more = lacking(len(label), found.spread, gain - margin, alpha=alpha)
    return Comparison(
        *(metric, test, ours, theirs, gain, margin, found.p_value, len(label)),
        found.interval,
        more,
    )


def delong(label: Array, challenger: Array, champion: Array, *, margin: float = 0.0) -> float:
    """Return the one-sided p of AUC(challenger) - AUC(champion) <= margin.

    DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44; placements by mid-ranks as in Sun and
    Xu (2014), IEEE Signal Processing Letters 21, so n log n.
    """
    return _delong(label, challenger, champion, margin).p_value


def _delong(label: Array, challenger: Array, champion: Array, margin: float) -> Tested:
    positive = label > 0.5
    one, two = _placements(challenger, positive), _placements(champion, positive)
    gap = one[0] - two[0]  # of each positive: its share of negatives below, and the difference
    rest = one[1] - two[1]
    m, n = len(gap), len(rest)
    if m < 2 or n < 2:
        return Tested(1.0, 0.0, None)
    spread = math.sqrt(float(gap.var(ddof=1) / m + rest.var(ddof=1) / n))
    difference = float(gap.mean())
    if spread <= 0.0:  # the same ranking twice
        p_value = 0.0 if difference > margin else 1.0
        return Tested(p_value, 0.0, (difference, difference))
    p_value = 0.5 * math.erfc((difference - margin) / (spread * math.sqrt(2)))
    return Tested(p_value, spread, around(difference, spread))


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


def _mcnemar(won: int, lost: int, n: int) -> Tested:
    """The interval is that of Agresti and Min (2005), Statistics in Medicine 24: half a row is
    added to each of the four cells."""
    rows, gap = n + 2, won - lost
    spread = math.sqrt(max(0.0, won + lost + 1 - gap * gap / rows)) / rows
    return Tested(mcnemar(won, lost), spread, around(gap / rows, spread))


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
    return _bootstrap(label, challenger, champion, metric, margin, seed, resamples).p_value


def _bootstrap(
    label: Array,
    challenger: Array,
    champion: Array,
    metric: Metric,
    margin: float,
    seed: int,
    resamples: int,
) -> Tested:
    """The interval is that of the percentiles."""
    draw = np.random.default_rng(seed)
    sign = 1.0 if metric.greater_is_better else -1.0
    gains = np.empty(resamples)
    for n in range(resamples):
        rows = draw.integers(0, len(label), len(label))
        truth = label[rows]
        gains[n] = metric.measure(truth, challenger[rows]) - metric.measure(truth, champion[rows])
    gains *= sign
    hits = int((~(gains > margin)).sum())  # an undefined gain is no gain
    p_value = (1 + hits) / (1 + resamples)
    known = gains[np.isfinite(gains)]
    if len(known) < resamples / 2:
        return Tested(p_value, 0.0, None)
    tail = (1 - LEVEL) / 2
    low, high = (float(end) for end in np.quantile(known, [tail, 1 - tail]))
    return Tested(p_value, float(known.std(ddof=1)), (low, high))
