"""What a paired test gave: its p, how sure the difference is, and how many rows would settle it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

LEVEL = 0.95  # of the interval, which is two-sided
POWER = 0.8  # with which a test of more rows shall show the gain that was seen
_MOST = 10**9  # more rows than this are no advice


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test gave: `spread` is the standard error of the difference, 0 where it has none."""

    p_value: float
    spread: float
    interval: tuple[float, float] | None


def lacking(
    n: int, spread: float, gain: float, *, alpha: float, power: float = POWER
) -> int | None:
    """Return how many rows beyond `n` show `gain` at `alpha` with `power`; None: no number would.

    n ((z(1 - alpha) + z(power)) spread / gain)^2 rows in all, as the standard error falls with
    the root of n (Lehr's rule, for any asymptotically normal difference); an advice, as the gain
    that was seen is itself uncertain.
    """
    if gain <= 0 or spread <= 0:
        return None
    z = NormalDist().inv_cdf(1 - alpha) + NormalDist().inv_cdf(power)
    wanted = n * (z * spread / gain) ** 2
    return max(1, math.ceil(wanted - n)) if wanted < _MOST else None


def around(middle: float, spread: float) -> tuple[float, float]:
    """Return the interval at LEVEL of a figure that is normal around `middle`."""
    z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
    return middle - z * spread, middle + z * spread
