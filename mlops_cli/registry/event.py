"""One event of a model: who did what, when, on what evidence; made from a tag or a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.ledger.record import Record
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.approval import Approval
from mlops_cli.registry.evidence import Evidence, fields, of_event, of_record, of_version, subject
from mlops_cli.registry.version import Version
from mlops_cli.store.digest import Digest

IN_TAGS = ("register", "promotion")  # kinds whose record repeats a tag


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `digest` names its bytes: of a tag the payload, of a record all of it."""

    time: str
    what: str  # registered | moved | retired | … | approved | run | deployment | check | …
    subject: str
    actor: str | None
    digest: str
    version: int | None = None
    commit: str | None = None
    tag: str | None = None
    record: str | None = None
    reason: str | None = None
    evidence: tuple[Evidence, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        told = {name: getattr(self, name) for name in self.__slots__ if name != "evidence"}
        return {**told, "evidence": [each.to_plain() for each in self.evidence]}


def registered(version: Version, record: str | None) -> Event:
    """Return the registration of a version; `record` is the digest of what the ledger repeats."""
    payload = version.payload
    return Event(
        str(payload.get("created") or ""), "registered", version.name, _who(payload),
        str(version.payload_digest), version.number, version.commit, version.tag, record,
        evidence=of_version(payload),
    )  # fmt: skip


def moved(move: AliasEvent, commit: str, record: str | None) -> Event:
    """Return a move of an alias."""
    return Event(
        str(move.payload.get("time") or ""), move.action, move.name, _who(move.payload),
        str(move.digest), move.version, commit, move.tag, record,
        _text(move.payload.get("reason")), of_event(move.payload),
    )  # fmt: skip


def approved(one: Approval, commit: str) -> Event:
    """Return an approval: a claim, until a promotion asks whether it counts."""
    said = one.statement
    digest = Digest.of(canonical_json({**said, "signature": one.signature}))
    number = said.get("version")
    return Event(
        str(said.get("time") or ""), "approved", f"{said.get('model')}@v{number}",
        _who(said), str(digest), number if isinstance(number, int) else None,
        commit, one.tag, reason=_text(said.get("reason")),
        evidence=(
            Evidence("for", str(said.get("alias"))),
            Evidence("signature", "counts, or not, when a promotion asks for it"),
        ),
    )  # fmt: skip


def recorded(record: Record) -> Event:
    """Return what only the ledger tells; of a version or a move that means its tag is gone."""
    evidence = of_record(record)
    if record.kind in IN_TAGS:
        evidence = (Evidence("tag", "not here; only the ledger tells of it", False), *evidence)
    number = record["version"]
    return Event(
        str(record["time"]), record.kind, subject(record), _who(record.body), str(record.digest),
        number if isinstance(number, int) else None, _text(fields(record["code"]).get("commit")),
        record=str(record.digest), reason=_reason(record), evidence=evidence,
    )  # fmt: skip


def _reason(record: Record) -> str | None:
    because = record["because"]
    if isinstance(because, list) and because:
        return "; ".join(map(str, because))
    return _text(record["reason"])


def _who(body: Mapping[str, Any]) -> str | None:
    return _text(body.get("actor"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
