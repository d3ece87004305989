"""Texts and times of MLflow as values of ours, and back."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from mlops_cli.integrations.mlflow.entity import Point

_MOST = 1 << 63
_WORDS = {"True": True, "False": False, "None": None}


def typed(text: str) -> Any:
    """Return the number or word that `text` spells, if writing it gives `text` again."""
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if math.isfinite(value) and str(value) == text and len(text) < 40:
            return value
    return text


def untyped(value: Any) -> str:
    """Return the text that `typed` was given."""
    return str(value)


def whole(value: Any) -> int | None:
    """Return the integer that a stranger's value means, None where it means none that fits."""
    try:
        number = int(value) if str(value).lstrip("-").isdecimal() else int(float(value))
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < _MOST else None


def plain(value: Any) -> str | None:
    """Return the text that a stranger's value is, None where it is none: a number is its digits,
    what no UTF-8 has is replaced."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return str(value) if isinstance(value, int | float) else None


def point(
    key: Any, value: Any, time: Any, step: Any, told: tuple[str | None, ...] = ()
) -> Point | None:
    """Return the point that strangers' values mean, None where they mean none."""
    at, number = whole(time), whole(step)
    try:
        amount = float(value)
    except (TypeError, ValueError):
        return None
    return None if at is None or number is None else Point(str(key), amount, at, number, told)


def moment(milliseconds: Any) -> datetime:
    """Return the time that a number of MLflow means; one that no calendar has is its beginning."""
    try:
        return datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)
    except (OverflowError, OSError, ValueError, TypeError):
        return datetime.fromtimestamp(0, UTC)
