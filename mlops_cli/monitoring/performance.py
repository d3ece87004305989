"""How good the predictions were, once the labels are known, against what the gate was shown."""

from __future__ import annotations

from typing import Any

from mlops_cli.monitoring.finding import Finding, Severity

RESAMPLES = 100
ALPHA = 0.01


def performance(
    label: Any,
    score: Any,
    *,
    metric: str,
    reference: float,
    min_drop: float,
    measure: Any,
    greater_is_better: bool = True,
    seed: int = 0,
) -> Finding:
    """Return how far `metric` fell from `reference`, with evidence from a bootstrap.

    `label` and `score` are float arrays [n] of the same rows; `measure(label, score) -> float`
    is the metric. A drop is important when it reaches `min_drop` and at most a share ALPHA of
    the resamples (Efron 1979, percentile form, seeded) shows no drop at all: size and evidence,
    both, so that neither eighty rows nor a million cry wolf.
    """
    import numpy as np

    value = float(measure(label, score))
    sign = 1.0 if greater_is_better else -1.0
    drop = sign * (reference - value)
    draw = np.random.default_rng(seed)
    count = len(label)
    drops = []
    for _ in range(RESAMPLES):
        rows = draw.integers(0, count, count)
        if label[rows].min() == label[rows].max():
            continue  # one class only: ranking metrics are undefined on this resample
        drops.append(sign * (reference - float(measure(label[rows], score[rows]))))
    p_value = (1 + sum(item <= 0 for item in drops)) / (1 + len(drops))
    severity: Severity = "ok"
    if drop >= min_drop and p_value <= ALPHA:
        severity = "important"
    elif drop >= min_drop:
        severity = "warning"
    verb = "fell" if drop > 0 else "rose"
    return Finding(
        family="performance",
        subject=metric,
        measure="drop",
        value=drop,
        limit=min_drop,
        severity=severity,
        p_value=p_value,
        sentence=f"{metric} {verb} from {reference:.3f} to {value:.3f} on {count:,} labelled rows",
    )
