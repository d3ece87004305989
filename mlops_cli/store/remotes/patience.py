"""How long to go on asking a remote that is busy or was cut off."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Answer = TypeVar("Answer")


def _between(least: float, most: float) -> float:
    import random  # only for who was refused

    return random.uniform(least, most)


@dataclass(frozen=True, slots=True)
class Patience:
    """Ask up to `attempts` times, with pauses that double up to `longest` seconds.

    The length of each pause is drawn between nothing and its bound, so that many machines that
    were refused at once do not come back at once.
    """

    attempts: int = 7
    first: float = 0.2
    longest: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[float, float], float] = _between

    def ask(self, call: Callable[[], Answer], *, worth: Callable[[Exception], int]) -> Answer:
        """Return what `call` answers; `worth` says how many attempts an error deserves."""
        for attempt in itertools.count(1):
            try:
                return call()
            except Exception as exc:
                if attempt >= min(self.attempts, worth(exc)):
                    raise
            self.sleep(self.draw(0, min(self.longest, self.first * 2**attempt)))
        raise AssertionError  # the count has no end


PATIENT = Patience()
