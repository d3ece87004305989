"""What went to or came from each remote, for push and pull to tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlops_cli.cli.render import text
from mlops_cli.store.remote import Requests
from mlops_cli.workspace.price import Cost
from mlops_cli.workspace.remotes import Route


@dataclass(frozen=True, slots=True)
class Done:
    """What went, or would go, over the line to or from one remote."""

    route: Route
    url: str
    objects: int
    bytes: int
    requests: Requests
    cost: Cost | None

    @property
    def name(self) -> str:
        """What the remote is called."""
        return self.route.remote.name

    @property
    def amount(self) -> str:
        """Return "12 objects, 3.4 MiB"."""
        return f"{text.count(self.objects, 'object')}, {text.size(self.bytes)}"

    @property
    def asked(self) -> str:
        """Return "7 requests"."""
        return text.count(self.requests.total, "request")

    def costs(self) -> list[str]:
        """Return the line that says what it costs, if there is a price list."""
        return [] if self.cost is None else [f"  costs {self.cost.words()}"]


def plain(done: Sequence[Done]) -> dict[str, Any]:
    """Return the sums, and what is true of each remote."""
    return {
        "objects": sum(one.objects for one in done),
        "bytes": sum(one.bytes for one in done),
        "requests": sum(one.requests.total for one in done),
        "remotes": [_one(one) for one in done],
    }


def _one(one: Done) -> dict[str, Any]:
    return {
        "name": one.name,
        "url": one.url,
        "paths": [member.path for member in one.route.tracked],
        "objects": one.objects,
        "bytes": one.bytes,
        "requests": {
            "lists": one.requests.lists,
            "reads": one.requests.reads,
            "writes": one.requests.writes,
        },
        "cost": None if one.cost is None else dataclasses.asdict(one.cost),
    }
