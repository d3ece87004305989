"""How much a YAML text stands for: with aliases a few lines can be more than a machine can hold."""

from __future__ import annotations

from typing import Any

MOST = 1_000_000  # values; the largest pipelines have some ten thousand


def expanded(raw: Any, known: dict[int, int]) -> int:
    """Return how many values the node of a composed document is, each alias as what it stands for.

    Raises RecursionError where one stands for what it is in.
    """
    if raw.id == "scalar":
        return 1
    if id(raw) not in known:
        inner = [item for _, item in raw.value] if raw.id == "mapping" else raw.value
        known[id(raw)] = 1 + sum(expanded(item, known) for item in inner)
    return known[id(raw)]
