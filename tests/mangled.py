"""A document with one place in it made wrong, for every place and many ways of wrong."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

JUNK = (None, "", "AAAA", "\ud800", [], {}, -1, 1 << 70, float("nan"))


def mangled(document: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield (document, key of the place, what stood there)."""
    for number in range(len(_places(document))):
        for junk in JUNK:
            other = copy.deepcopy(document)
            holder, key = _places(other)[number]
            former, holder[key] = holder[key], junk
            if former != junk:
                yield other, key, former


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value))
    nested = [value[key] for key in keys if isinstance(value[key], (dict, list))]
    return [(value, key) for key in keys] + [each for one in nested for each in _places(one)]
