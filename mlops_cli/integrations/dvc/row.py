"""One line of the table that an import or an export prints: what became of a thing, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal[
    "imported", "attached", "exported", "unchanged", "noted", "missing", "corrupt", "refused"
]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what became of one thing, and why."""

    what: Literal["data", "step", "remote", "ignore", "artifact", "file"]
    name: str
    state: State
    reason: str = ""
