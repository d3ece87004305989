"""How far two histograms over the same groups lie apart, and whether that could be chance."""

from __future__ import annotations

from typing import Any

from mlops_cli.errors import MissingExtra

# Half a row a group keeps the logarithm finite where one side has none (Jeffreys' prior).
_PRIOR = 0.5


def psi(reference: Any, current: Any) -> float:
    """Return the population stability index of two count arrays [k] over the same k groups.

    PSI = Σ (c − r) · ln(c / r) over the shares c, r of each group: the symmetric Kullback–Leibler
    divergence. Below 0.1 is commonly read as stable, above 0.25 as an important shift.
    """
    import numpy as np

    r = np.asarray(reference, dtype=float) + _PRIOR
    c = np.asarray(current, dtype=float) + _PRIOR
    r, c = r / r.sum(), c / c.sum()
    return float(np.sum((c - r) * np.log(c / r)))


def homogeneity(reference: Any, current: Any) -> float:
    """Return the p-value of Pearson's chi-square test that both counts [k] share one distribution.

    Groups that are empty on both sides are left out; 1.0 when fewer than two remain.
    """
    import numpy as np

    try:
        from scipy.special import chdtrc  # scipy.stats has the whole test and takes seconds to load
    except ImportError as exc:
        raise MissingExtra.of("scipy", "monitor") from exc
    table = np.vstack([reference, current]).astype(float)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():
        return 1.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return float(chdtrc(table.shape[1] - 1, statistic))


def merged(counts: Any, *, groups: int = 10) -> Any:
    """Return the group [bins] of each bin so that the groups hold near equal shares of `counts`.

    PSI and chi-square want few, well-filled groups; 256 bins over a small window are neither.
    """
    import numpy as np

    values = np.asarray(counts, dtype=float)
    middle = np.cumsum(values) - values / 2
    return np.minimum((middle / max(values.sum(), 1.0) * groups).astype(int), groups - 1)
