"""What a push did."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlops_cli.store.closure import Reached


@dataclass(slots=True)
class Sent:
    """How many objects went, in how many bytes and packs, and what could not."""

    objects: int = 0
    bytes: int = 0
    packs: int = 0
    damaged: list[Reached] = field(default_factory=list)
