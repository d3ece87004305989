"""Who did what with a model, when, on what evidence: the events of tags and ledger in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mlops_cli.errors import IntegrityError, StateRefused
from mlops_cli.ledger import lineage
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import Record
from mlops_cli.registry import approval
from mlops_cli.registry import event as events
from mlops_cli.registry.alias import AliasEvent, check_chain
from mlops_cli.registry.alias import from_tag as event_of
from mlops_cli.registry.approval import Approval
from mlops_cli.registry.event import Event
from mlops_cli.registry.evidence import Evidence
from mlops_cli.registry.origin import origin
from mlops_cli.registry.sealed import signer
from mlops_cli.registry.version import Version, check_name
from mlops_cli.registry.version import from_tag as version_of
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git
from mlops_cli.vcs.tags import Tag, Unreadable

_COUNT = {"register": "version", "promotion": "event"}  # what counts the tags of a kind


@dataclass(slots=True)
class _Found:
    versions: dict[int, Version] = field(default_factory=dict)
    moves: list[AliasEvent] = field(default_factory=list)
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
    _chains(found.moves)
    records = _records(index, found, model, number)
    told = list(_registered(found, records))
    told += [events.approved(each, found.commits[each.tag]) for each in found.approvals]
    told += [events.recorded(record) for record in records.values()]
    if number is not None:
        moved = {e.tag for e in found.moves if number in (e.version, e.payload.get("former"))}
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
                found.moves.append(event)
                found.ids[tag.name] = tag.id
            elif approval.TAG.fullmatch(tag.name):
                found.approvals.append(approval.understood(tag))
        except IntegrityError as exc:
            digest = Digest.of(tag.payload) if isinstance(tag, Tag) else ""
            found.damaged.append(
                Event("", "damaged", tag.name, None, digest, tag=tag.name, reason=exc.message)
            )
    return found


def _chains(moves: list[AliasEvent]) -> None:
    for alias in {move.alias for move in moves}:
        check_chain(sorted((e for e in moves if e.alias == alias), key=lambda e: e.number))


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
        (record.kind, *map(str, (record["model"], record["alias"], record[_COUNT[record.kind]]))): n
        for n, record in records.items()
        if record.kind in events.IN_TAGS
    }
    for version in found.versions.values():
        record = repeated.get(("register", version.model, "None", str(version.number)))
        records.pop(record or "", None)
        yield events.registered(version, record)
    for move in found.moves:
        record = repeated.get(("promotion", move.model, move.alias, str(move.number)))
        records.pop(record or "", None)
        yield events.moved(move, found.commits[move.tag], record)


def _with_signer(git: Git, event: Event, found: _Found, allowed: bytes) -> Event:
    tag_id = found.ids.get(event.tag or "")
    if tag_id is None:
        return event
    try:
        seen = Evidence("signed by", signer(git, tag_id, allowed), True)
    except (IntegrityError, StateRefused) as exc:
        seen = Evidence("signed by", exc.message, False)
    return replace(event, evidence=(*event.evidence, seen))
