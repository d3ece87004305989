"""A claim: who runs a window, until when it may be taken for alive, and what came of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from mlops_cli.encode import canonical_json, parse_json
from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.record import timestamp

SCHEMA = "mlops.claim/1"
Status = Literal["running", "done", "failed"]
_TIMES = ("moment", "claimed", "renewed", "expires", "ended")


@dataclass(frozen=True, slots=True)
class Claim:
    """One window of one trigger. All times are those of the machine that claimed it."""

    trigger: str
    window: str
    moment: datetime  # what the window stands for: the time of a cron, else when it was seen
    machine: str
    claimed: datetime
    renewed: datetime
    expires: datetime
    status: Status = "running"
    ended: datetime | None = None
    attempt: int = 1
    nonce: str = ""  # two claims of one second by copies of one clone are still two
    because: tuple[str, ...] = ()
    seen: Mapping[str, Any] = field(default_factory=dict)
    slots: tuple[str, ...] = ()
    cpu_seconds: float = 0.0
    floor: bool = False  # all windows before it are settled, and their claims taken away
    record: str | None = None  # the digest of its record in the ledger
    id: str | None = None  # of the git object; not in the text

    @property
    def name(self) -> str:
        """Where it stands on the board."""
        return f"{self.trigger}/{self.window}"

    def alive(self, at: datetime) -> bool:
        """Return whether somebody must be taken to run it."""
        return self.status == "running" and at < self.expires

    def newest(self) -> datetime:
        """Return the last time that its machine told."""
        return max(self.claimed, self.renewed, self.ended or self.claimed)


def to_text(claim: Claim) -> bytes:
    """Return the bytes that the board keeps: canonical JSON."""
    body = {
        item.name: getattr(claim, item.name)
        for item in dataclasses.fields(claim)
        if item.name != "id"
    }
    for name in _TIMES:
        body[name] = timestamp(body[name]) if body[name] else None
    return canonical_json(
        {"schema": SCHEMA, **body, "because": list(claim.because), "slots": list(claim.slots)}
    )


def from_text(data: bytes, *, name: str, id: str, remedy: str | None = None) -> Claim:
    """Return the claim in `data`; fields of later versions are passed over.

    Raises IntegrityError ("damaged-claim") with `remedy`, how to take it away.
    """
    try:
        body = parse_json(data, source=f"claim {name}")
        known = {item.name for item in dataclasses.fields(Claim)} - {"id"}
        values = {key: value for key, value in body.items() if key in known}
        for key in _TIMES:
            values[key] = datetime.fromisoformat(values[key]) if values.get(key) else None
        values |= {key: tuple(values.get(key) or ()) for key in ("because", "slots")}
        claim = Claim(**values, id=id)
        if not str(body["schema"]).startswith("mlops.claim/") or claim.name != name:
            raise ValueError("it is the claim of something else")
    except (IntegrityError, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise IntegrityError(
            f"the claim {name} cannot be read: {exc}",
            code="damaged-claim",
            hint=remedy,
        ) from exc
    return claim
