"""What a condition asks of a record: one field, all of several conditions, or one of them.

A field is a dotted path into the record; keys that hold dots themselves are found too. A field
that a record does not have matches nothing, not even `!=`; values of different types are never
equal and never ordered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any

Condition = Callable[[Mapping[str, Any]], bool]

MISSING = object()
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": eq,
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One `field operator value`."""

    field: str
    operator: str
    value: Any

    def __call__(self, facts: Mapping[str, Any]) -> bool:
        return self.holds(look_up(facts, self.field))

    def holds(self, actual: Any) -> bool:
        """Return whether `actual` stands in the relation to the value."""
        if actual is MISSING:
            return False
        if self.operator == "~":
            return str(self.value).lower() in str(actual).lower()
        both_numbers = _is_number(actual) and _is_number(self.value)
        if both_numbers or type(actual) is type(self.value):
            if self.operator not in ("=", "==", "!=") and not isinstance(actual, int | float | str):
                return False
            return _ORDER[self.operator](actual, self.value)
        return self.operator == "!="


@dataclass(frozen=True, slots=True)
class Every:
    """Conditions joined by `and`."""

    parts: tuple[Condition, ...]

    def __call__(self, facts: Mapping[str, Any]) -> bool:
        return all(part(facts) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Either:
    """Conditions joined by `or`."""

    parts: tuple[Condition, ...]

    def __call__(self, facts: Mapping[str, Any]) -> bool:
        return any(part(facts) for part in self.parts)


def look_up(facts: Any, field: str) -> Any:
    """Return what the dotted path `field` leads to in `facts`, or MISSING."""
    if not isinstance(facts, Mapping):
        return MISSING
    if field in facts:
        return facts[field]
    cut = field.rfind(".")
    while cut > 0:  # the longest key first, since step and file names hold dots
        head = field[:cut]
        if head in facts:
            found = look_up(facts[head], field[cut + 1 :])
            if found is not MISSING:
                return found
        cut = field.rfind(".", 0, cut)
    return MISSING


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
