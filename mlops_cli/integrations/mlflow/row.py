"""What became of one thing of MLflow, and why: a line of the table, and the counts of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["imported", "updated", "unchanged", "left out", "refused", "sent"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    name: str
    state: State
    reason: str = ""


def counts(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Return what → state → how many."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row.what, Counter())[row.state] += 1
    return {what: dict(states) for what, states in found.items()}
