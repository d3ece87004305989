"""What a name stands on: the events of an alias, the policy they were judged by, the version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.index import Index
from mlops_cli.registry import sealed
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.chain.ground import Ground
from mlops_cli.registry.chain.link import Link, judged
from mlops_cli.registry.registry import Registry
from mlops_cli.registry.version import Version
from mlops_cli.vcs import objects

_NUMBER = re.compile(r"v?[0-9]+|sha256:.*|")


@dataclass(slots=True)
class Meant:
    """What a name was found to mean; None where the chain broke before."""

    version: Version | None = None
    links: list[Link] = field(default_factory=list)


def meant(ground: Ground, index: Index, name: str) -> Meant:
    """Return the version that `name` means with the links that lead to it.

    Raises NotFound, UsageError for what is not known at all.
    """
    registry = Registry(ground.git)
    model, _, which = name.partition("@")
    found = Meant()
    event = None
    if not _NUMBER.fullmatch(which):
        try:
            event = registry.alias(model, which)
            if event is None or event.version is None:
                registry.resolve(name)  # which says what there is
        except IntegrityError as exc:
            link = Link("event", str(exc.details.get("tag") or name), None, "tags")
            found.links.append(link.found("mismatch", exc.code, exc.message))
        if event is not None:
            found.links += _event(ground, index, event)
            digest = event.payload.get("digest")
            link = Link("version", f"{model}@v{event.version}", digest, "tags")

            def take() -> None:
                found.version = registry.meant(event)

            known = judged(link, take)
            found.links += [known] if known.bad else []
    else:
        try:
            found.version = registry.resolve(name)
        except IntegrityError as exc:
            link = Link("version", str(exc.details.get("tag") or name), None, "tags")
            found.links.append(link.found("mismatch", exc.code, exc.message))
    if found.version is not None:
        found.links += list(_version(ground, index, found.version, event))
    return found


def _event(ground: Ground, index: Index, event: AliasEvent) -> Iterator[Link]:
    label = f"{event.name} event {event.number}"
    link = Link("event", label, str(event.digest), "tags")
    latest = _latest(index, event)
    if latest is None:
        yield _signed(ground, link, event.tag_id)
    elif latest > event.number:
        why = f"the ledger knows event {latest} of {event.name}, and its tag is not here"
        yield link.found("missing", "event-missing", why)
    else:
        why = f"the ledger knows another tag {event.tag}: it was moved"
        yield link.found("mismatch", "tag-moved", why)
    if ground.policies is not None and event.version is not None:
        yield _policy(ground, event)


def _policy(ground: Ground, event: AliasEvent) -> Link:
    payload = event.payload
    link = Link("policy", f"of {event.name}", payload.get("policy"), "git")
    wrong = ground.policies(payload) if ground.policies else None
    if wrong is None:
        return link
    shallow = (ground.git.common_dir / "shallow").is_file()  # its history may say so
    if shallow:
        wrong += ", as far as this shallow clone goes: git fetch --unshallow"
    if ground.allowed is None:  # nobody is asked for trust
        return link.absent(wrong)
    if shallow:
        return link.found("missing", "shallow-clone", wrong)
    return link.found("untrusted", "policy-not-protected", wrong)


def _version(
    ground: Ground, index: Index, version: Version, event: AliasEvent | None
) -> Iterator[Link]:
    link = Link("version", version.name, version.digest, "tags")
    yield _vouched(ground, link, version, event)
    (commit,) = objects.check(ground.git, [version.commit])
    link = Link("commit", version.name, f"git:{version.commit}", "git")
    if commit is None or commit.kind != "commit":
        link = link.found("missing", "unknown-revision", "git has no such commit: git fetch")
    yield link
    yield _registered(index, version)


def _vouched(ground: Ground, link: Link, version: Version, event: AliasEvent | None) -> Link:
    """Return the version as its own signature has it, or that of an event that names it whole:
    the one that led here, or any of its model."""
    own = _signed(ground, link, version.tag_id)
    if own.code != "unsigned":
        return own
    events = [event] if event else []
    if event is None:
        every = Registry(ground.git).of(version.model).aliases.values()
        events = [each for some in every for each in some]
    for each in events:
        if each.payload.get("payload") == version.payload_digest:
            by_event = _signed(ground, link, each.tag_id)
            if not by_event.bad:
                return by_event
    return own


def _registered(index: Index, version: Version) -> Link:
    label = f"{version.name} registered"
    records = [*index.newest("register", model=version.model, number=version.number)]
    if not records:
        link = Link("record", label, None, "ledger")
        if version.run is None:
            return link.absent("no record says that it was registered")
        why = "no ledger here has its record: mlops pull brings those of others"
        return link.found("missing", "unknown-record", why)
    link = Link("record", label, str(records[0].digest), "ledger")
    said = (version.digest, version.payload.get("bundle"))
    for record in records:
        moved = record["tag_object"] not in (None, version.tag_id)
        if moved or (record["digest"], record["bundle"]) != said:
            why = f"the ledger knows another tag {version.tag}: it was moved"
            return link.found("mismatch", "tag-moved", why)
    return link


def _signed(ground: Ground, link: Link, tag_id: str) -> Link:
    def check() -> str | None:
        if ground.allowed is None:
            sealed.sealed(ground.git, tag_id)  # is the object what its name says
            return None
        return sealed.signer(ground.git, tag_id, ground.allowed)

    return judged(link, check)


def _latest(index: Index, event: AliasEvent) -> int | None:
    """Return the number of the last event of this alias that a record tells of, where it is a
    later one or another tag; None where `event` is what the ledger knows."""
    told = [
        record
        for record in index.newest("promotion", model=event.model)
        if record["alias"] == event.alias and isinstance(record["event"], int)
    ]
    last = max((record["event"] for record in told), default=0)
    if last > event.number:
        return int(last)
    of_it = [record["tag_object"] for record in told if record["event"] == event.number]
    return event.number if any(oid not in (None, event.tag_id) for oid in of_it) else None
