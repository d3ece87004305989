"""Who did what with a model, when, on what evidence: the events of tags and ledger in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import IntegrityError, StateRefused
from mlops_cli.ledger import lineage
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import Record
from mlops_cli.registry import approval
from mlops_cli.registry.alias import AliasEvent, check_chain
from mlops_cli.registry.alias import from_tag as event_of
from mlops_cli.registry.approval import Approval
from mlops_cli.registry.evidence import Evidence, fields, of_event, of_record, of_version, subject
from mlops_cli.registry.origin import origin
from mlops_cli.registry.sealed import signer
from mlops_cli.registry.version import Version, check_name
from mlops_cli.registry.version import from_tag as version_of
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git
from mlops_cli.vcs.tags import Tag, Unreadable

_IN_TAGS = {"register": "version", "promotion": "alias"}  # kinds whose record repeats a tag


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


@dataclass(slots=True)
class _Found:
    versions: dict[int, Version] = field(default_factory=dict)
    events: list[AliasEvent] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    commits: dict[str, str] = field(default_factory=dict)  # tag → what it points to
    ids: dict[str, str] = field(default_factory=dict)  # of versions and moves: tag → tag object
    damaged: list[Event] = field(default_factory=list)


def trail(
    git: Git,
    index: Index,
    model: str,
    number: int | None = None,
    *,
    allowed: bytes | None = None,
) -> list[Event]:
    """Return the events of `model`, or of one version of it, oldest first.

    With `allowed`, the list of signers, versions and moves say who signed their tag. What cannot
    be read is an event of its own, "damaged". A record of a version or a move whose tag is not
    here is told as one that only the ledger has.
    Raises IntegrityError ("alias-chain-broken").
    """
    found = _tags(git, check_name(model))
    _chains(found.events)
    records = _records(index, found, model, number)
    told = list(_registered(found, records))
    told += [_given(each, found) for each in found.approvals]
    told += [_recorded(record) for record in records.values()]
    if number is not None:
        moved = {e.tag for e in found.events if number in (e.version, e.payload.get("former"))}
        # records were chosen by what led to the version and what came of it
        told = [e for e in told if e.tag is None or e.version == number or e.tag in moved]
    if allowed is not None:
        told = [_with_signer(git, event, found, allowed) for event in told]
    told += found.damaged
    return sorted(told, key=lambda event: (event.time, event.subject, event.digest))


def _tags(git: Git, model: str) -> _Found:
    found = _Found()
    for tag in tags.listing(git, f"mlops/{model}/"):
        try:
            if isinstance(tag, Unreadable):
                raise IntegrityError(tag.why, code="damaged-tag")
            found.commits[tag.name] = tag.target
            if version := version_of(tag):
                found.versions[version.number] = version
                found.ids[tag.name] = tag.id
            elif event := event_of(tag):
                found.events.append(event)
                found.ids[tag.name] = tag.id
            elif approval.TAG.fullmatch(tag.name):
                found.approvals.append(approval.understood(tag))
        except IntegrityError as exc:
            digest = Digest.of(tag.payload) if isinstance(tag, Tag) else ""
            found.damaged.append(
                Event("", "damaged", tag.name, None, digest, tag=tag.name, reason=exc.message)
            )
    return found


def _chains(events: list[AliasEvent]) -> None:
    for alias in {event.alias for event in events}:
        check_chain(sorted((e for e in events if e.alias == alias), key=lambda e: e.number))


def _records(index: Index, found: _Found, model: str, number: int | None) -> dict[str, Record]:
    """Return the records of the model, of what made its versions, and of what they led to."""
    wanted: dict[str, Record] = {}
    for record in index.newest(model=model):
        if number in (None, record["version"]):
            wanted[str(record.digest)] = record
    for version in found.versions.values():
        if number not in (None, version.number):
            continue
        made = list(origin(index, version).runs)
        if judged := index.get(str(version.payload.get("evaluated"))):
            made.append(judged)
        wanted |= {str(run.digest): run for run in made}
        digest = str(version.payload.get("digest"))
        starts = lineage.start_of(index, model, version.number, digest=digest, run=version.run)
        below = lineage.down(index, *starts).nodes
        for name in (name for name, node in below.items() if node.place == "ledger"):
            one = index.get(name)
            # what a retraining did belongs to the version that it made
            if one is not None and one.kind != "run" and one["model"] in (None, model):
                wanted[name] = one
    return wanted


def _registered(found: _Found, records: dict[str, Record]) -> Iterator[Event]:
    """Yield versions and moves; the record that repeats one is told with it, not twice."""
    repeated = {
        (record.kind, record["model"], record["alias"], record["event"] or record["version"]): name
        for name, record in records.items()
        if record.kind in _IN_TAGS
    }
    for version in found.versions.values():
        record = repeated.get(("register", version.model, None, version.number))
        payload = version.payload
        records.pop(record or "", None)
        yield Event(
            str(payload.get("created") or ""), "registered", version.name, _who(payload),
            str(version.payload_digest), version.number, version.commit, version.tag, record,
            evidence=of_version(payload),
        )  # fmt: skip
    for event in found.events:
        record = repeated.get(("promotion", event.model, event.alias, event.number))
        records.pop(record or "", None)
        yield Event(
            str(event.payload.get("time") or ""), event.action, event.name, _who(event.payload),
            str(event.digest), event.version, found.commits[event.tag], event.tag, record,
            _text(event.payload.get("reason")), of_event(event.payload),
        )  # fmt: skip


def _with_signer(git: Git, event: Event, found: _Found, allowed: bytes) -> Event:
    tag_id = found.ids.get(event.tag or "")
    if tag_id is None:
        return event
    try:
        seen = Evidence("signed by", signer(git, tag_id, allowed), True)
    except (IntegrityError, StateRefused) as exc:
        seen = Evidence("signed by", exc.message, False)
    return replace(event, evidence=(*event.evidence, seen))


def _given(one: Approval, found: _Found) -> Event:
    said = one.statement
    digest = Digest.of(canonical_json({**said, "signature": one.signature}))
    number = said.get("version")
    return Event(
        str(said.get("time") or ""), "approved", f"{said.get('model')}@v{number}",
        _who(said), str(digest), number if isinstance(number, int) else None,
        found.commits[one.tag], one.tag, reason=_text(said.get("reason")),
        evidence=(
            Evidence("for", str(said.get("alias"))),
            Evidence("signature", "counts, or not, when a promotion asks for it"),
        ),
    )  # fmt: skip


def _recorded(record: Record) -> Event:
    code = fields(record["code"])
    lost = record.kind in _IN_TAGS
    evidence = of_record(record)
    if lost:
        evidence = (Evidence("tag", "not here; only the ledger tells of it", False), *evidence)
    number = record["version"]
    return Event(
        str(record["time"]), record.kind, subject(record), _who(record.body), str(record.digest),
        number if isinstance(number, int) else None, _text(code.get("commit")),
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
