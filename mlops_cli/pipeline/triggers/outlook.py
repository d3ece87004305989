"""What a tick looks at, and what it finds due: plain values, that a function joins."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlops_cli.pipeline.model.triggers import Limits, Trigger
from mlops_cli.pipeline.triggers.claim import Claim, Status


@dataclass(frozen=True, slots=True)
class Look:
    """What a trigger looks at, as it is now.

    `value` is a digest of data, a decision, a commit or a record; `used` is the value that was
    dealt with otherwise than by this trigger, or from which it counts. `since`: from when on a
    schedule counts; None where that is not committed.
    """

    since: datetime | None = None
    value: str | None = None
    used: str | None = None
    rows: int | None = None
    rows_used: int | None = None
    told: str = ""  # the fact in words: "decided at …", "roc_auc is 0.58"
    met: datetime | None = None  # when a goal was last met


@dataclass(frozen=True, slots=True)
class Spent:
    """What an attempt at a window cost."""

    trigger: str
    window: str
    attempt: int
    time: datetime
    cpu_seconds: float = 0.0
    status: Status = "done"


@dataclass(frozen=True, slots=True)
class State:
    """All that a tick looks at. `claims` of each trigger in the order in which they were made;
    `watched` has the ids of claims that this machine saw unrenewed for long enough."""

    triggers: Mapping[str, Trigger]
    limits: Limits = field(default_factory=Limits)
    looks: Mapping[str, Look] = field(default_factory=dict)
    claims: Mapping[str, tuple[Claim, ...]] = field(default_factory=dict)
    spent: tuple[Spent, ...] = ()  # as the ledger tells
    watched: frozenset[str] = frozenset()
    newest: tuple[datetime, str] | None = None  # the last time that anybody told, and who

    def look(self, name: str) -> Look:
        """Return what the trigger `name` looks at."""
        return self.looks.get(name, Look())

    def with_claim(self, claim: Claim) -> State:
        """Return the state after `claim` was made or changed."""
        others = [one for one in self.claims.get(claim.trigger, ()) if one.window != claim.window]
        return dataclasses.replace(self, claims={**self.claims, claim.trigger: (*others, claim)})

    def with_claims(self, claims: Mapping[str, tuple[Claim, ...]]) -> State:
        """Return the state with the claims as they stand now. One whose end is in the ledger has
        ended, though its machine could not say so on the board."""
        ended = {(one.trigger, one.window, one.attempt): one.status for one in self.spent}
        told = {
            name: tuple(
                dataclasses.replace(one, status=ended[one.trigger, one.window, one.attempt])
                if one.status == "running" and (one.trigger, one.window, one.attempt) in ended
                else one
                for one in some
            )
            for name, some in claims.items()
        }
        return dataclasses.replace(self, claims=told)

    def spending(self) -> list[Spent]:
        """Return what was spent, also where only the claim tells of it yet."""
        known = {(one.trigger, one.window, one.attempt) for one in self.spent}
        ended = [one for some in self.claims.values() for one in some if one.status != "running"]
        return [
            *self.spent,
            *(
                Spent(one.trigger, one.window, one.attempt, one.claimed, one.cpu_seconds)
                for one in ended
                if (one.trigger, one.window, one.attempt) not in known
            ),
        ]


@dataclass(frozen=True, slots=True)
class Due:
    """One window that ought to run. `against` says why it may not now; `takes` is the claim that
    it takes the place of, of a machine that died or a run that failed."""

    trigger: str
    run: str
    window: str
    moment: datetime
    because: tuple[str, ...]
    against: tuple[str, ...] = ()
    seen: Mapping[str, Any] = field(default_factory=dict)
    takes: Claim | None = None
    attempt: int = 1

    @property
    def name(self) -> str:
        """Where its claim stands."""
        return f"{self.trigger}/{self.window}"
