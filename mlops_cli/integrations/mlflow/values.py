"""Texts and times of MLflow as values of ours, and back."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

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


def moment(milliseconds: Any) -> datetime:
    """Return the time that a number of MLflow means; one that no calendar has is its beginning."""
    try:
        return datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)
    except (OverflowError, OSError, ValueError, TypeError):
        return datetime.fromtimestamp(0, UTC)
