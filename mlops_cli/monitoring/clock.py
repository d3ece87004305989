"""The clock of a replay: it can be set, and runs on from there as real time does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime


class ReplayClock:
    """Tell the time of the data. `real` is the clock by which it goes on between two settings,
    so that what happens later is also recorded as later."""

    def __init__(self, moment: datetime, real: Callable[[], datetime]) -> None:
        self._real = real
        self.set(moment)

    def set(self, moment: datetime) -> None:
        """Let the time be `moment` now."""
        self._moment, self._since = moment, self._real()

    def __call__(self) -> datetime:
        return self._moment + (self._real() - self._since)
