"""One thing that somebody is to look at, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Closed:
    """How an event ended: by a record that shows it mended, or by a person with a reason."""

    time: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """`record` opened it, `about` a step, a family of a monitor (monitor.delay:drift) or a model.

    `to` is a role, `owner` who that is today; `times` counts what went wrong since, `what` and
    `last` are of the newest.
    """

    id: str
    about: str
    to: str
    owner: str | None
    what: str
    record: str
    opened: str
    last: str
    times: int = 1
    closed: Closed | None = None

    def plain(self) -> dict[str, Any]:
        """Return the event as plain JSON."""
        ended = self.closed
        closed = {"time": ended.time, "by": ended.by, "reason": ended.reason} if ended else None
        return {
            "id": self.id,
            "about": self.about,
            "to": self.to,
            "owner": self.owner,
            "what": self.what,
            "record": self.record,
            "opened": self.opened,
            "last": self.last,
            "times": self.times,
            "closed": closed,
        }

    def concerns(self, who: str) -> bool:
        """Return whether it goes to `who` or is about it: a role, an owner, a step, a monitor."""
        return who in (self.to, self.owner, self.about, self.about.partition(":")[0])
