"""What went to or came from each remote, for push and pull to tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_cli.cli.render import text
from mlops_cli.store import chunks
from mlops_cli.store.remotes.remote import Requests
from mlops_cli.workspace.price import Cost
from mlops_cli.workspace.remotes import Route

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.store.transfer.transfer import PushPlan


@dataclass(frozen=True, slots=True)
class Done:
    """What went, or would go, over the line to or from one remote."""

    route: Route
    url: str
    objects: int
    bytes: int
    requests: Requests
    cost: Cost | None
    at_most: bool = False  # only a transfer tells how much of it is on the other side
    runs: int = 0  # entries of the run cache that went

    @property
    def name(self) -> str:
        """What the remote is called."""
        return self.route.remote.name

    @property
    def amount(self) -> str:
        """Return "12 objects, 3.4 MiB", or the same with "at most"."""
        bound = "at most " if self.at_most else ""
        return f"{bound}{text.count(self.objects, 'object')}, {text.size(self.bytes)}"

    @property
    def asked(self) -> str:
        """Return "7 requests"."""
        return text.count(self.requests.total, "request")

    def costs(self) -> list[str]:
        """Return the line that says what it costs, if there is a price list."""
        return [] if self.cost is None else [f"  costs {self.cost.words()}"]


def warn_uncut(ctx: Context, plan: PushPlan) -> None:
    """Tell, once a command, that large objects travel whole and why."""
    if plan.uncut:
        ctx.warn(
            "large objects go whole, and whole again after every change: "
            f"{chunks.NO_CUTTER} [missing-cutter]; {chunks.MEND}"
        )


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
        "at_most": one.at_most,
        "requests": {
            "lists": one.requests.lists,
            "reads": one.requests.reads,
            "writes": one.requests.writes,
        },
        "cost": None if one.cost is None else dataclasses.asdict(one.cost),
    }
