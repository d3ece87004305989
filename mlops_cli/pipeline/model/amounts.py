"""Durations and sizes stay the words a person wrote ("3h", "8MiB"); here they are read."""

from __future__ import annotations

import re
from datetime import timedelta

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(text: str) -> timedelta:
    """Return "90s", "15m", "3h", "7d", "2w" as a timedelta. Raises ValueError for other words."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 90s, 15m, 3h, 7d or 2w")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def size(text: str) -> int:
    """Return "8MiB", "500kB", "1024" as bytes. Raises ValueError for other words."""
    match = _SIZE.fullmatch(text.strip().replace("k", "K"))
    if match is None:
        raise ValueError(f"{text!r} is not a size such as 512KiB, 8MiB or 2GB")
    unit = match[2] or ""
    power = " KMGT".index(unit[:1] or " ")
    return int(float(match[1]) * (1024 if unit.endswith("i") else 1000) ** power)
