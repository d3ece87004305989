"""Amounts as people write them: 50GB, 1.5TiB; 12h, 1d."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?) *([kmgtp]?)(i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_DURATION = re.compile(r"(\d+(?:\.\d+)?) *([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def size(text: str) -> int:
    """Return the bytes that `text` means: "50GB" is 50 × 10⁹, "50GiB" 50 × 2³⁰, "50" is bytes.

    Raises ValueError.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    return int(float(match[1]) * (1024 if match[3] else 1000) ** _POWERS[match[2].lower()])


def duration(text: str) -> int:
    """Return the seconds that `text` means: "90s", "15m", "12h", "1d", "2w", and "0".

    Raises ValueError.
    """
    if text.strip() == "0":
        return 0
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    return int(float(match[1]) * _SECONDS[match[2]])
