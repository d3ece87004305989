"""`until:`: a goal for a metric, "auc >= 0.9"."""

from __future__ import annotations

import re

_WORDS = re.compile(r"\s*([A-Za-z0-9_.@/-]+)\s*(>=|<=|>|<)\s*([-+0-9.eE]+)\s*")


def read(text: str) -> tuple[str, str, float]:
    """Return the metric, the sign and the number of a goal. Raises ValueError."""
    match = _WORDS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no goal such as auc >= 0.9")
    return match[1], match[2], float(match[3])
