"""What an alias points to: the last of its events, each a tag that names the one before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import IntegrityError
from mlops_cli.registry.version import Unfit, fitting, is_digest, is_time
from mlops_cli.store.digest import Digest
from mlops_cli.vcs.tags import Tag

SCHEMA = "mlops.alias/1"
TAG = re.compile(r"mlops/(?P<model>[^/@]+)/@(?P<alias>[^/@]+)/(?P<event>[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class AliasEvent:
    """Event `number` of an alias: from here on it means `version`, or nothing when that is None."""

    model: str
    alias: str
    number: int
    payload: Mapping[str, Any]
    tag: str
    tag_id: str

    @property
    def version(self) -> int | None:
        """The number of the version, None once the alias is retired."""
        return self.payload.get("version")

    @property
    def action(self) -> str:
        """What it was: promote, set, rollback or retire."""
        return self.payload.get("action") or ("promote" if self.version else "retire")

    @property
    def digest(self) -> Digest:
        """The identity of the event: the SHA-256 of its canonical payload."""
        return Digest.of(canonical_json(self.payload))

    @property
    def name(self) -> str:
        """The name that commands take: delay@production."""
        return f"{self.model}@{self.alias}"


def from_tag(tag: Tag) -> AliasEvent | None:
    """Return the event that `tag` stands for, None for tags of another kind.

    Raises IntegrityError ("damaged-alias") when its payload is not one of this event.
    """
    match = TAG.fullmatch(tag.name)
    if match is None:
        return None
    model, alias, number = match["model"], match["alias"], int(match["event"])
    try:
        payload = fitting(tag, model=model, alias=alias, event=number)
        version, digest = payload.get("version"), payload.get("digest")
        whole = version is None or (type(version) is int and version > 0 and is_digest(digest))
        if not whole or not is_time(payload.get("time")):
            raise Unfit("names no version and time that there could be")
    except Unfit as exc:
        raise IntegrityError(
            f"the tag {tag.name} {exc}",
            code="damaged-alias",
            hint=f"git show {tag.name}",
            details={"tag": tag.name},
        ) from None
    return AliasEvent(model, alias, number, payload, tag.name, tag.id)


def check_chain(events: Sequence[AliasEvent]) -> None:
    """Confirm that `events`, in order, are 1, 2, 3, … and each names the one before.

    Raises IntegrityError ("alias-chain-broken") at the first that does not: an event was deleted
    or replaced, or has not been fetched.
    """
    former: AliasEvent | None = None
    for position, event in enumerate(events, start=1):
        if event.number != position:
            raise broken(event, f"event {position} of {event.name} is missing")
        if event.payload.get("previous") != (former.digest if former else None):
            raise broken(
                event, f"event {event.number} of {event.name} does not follow the one before it"
            )
        former = event


def broken(event: AliasEvent, why: str) -> IntegrityError:
    """Return the error for an alias whose events are no chain."""
    return IntegrityError(
        why,
        code="alias-chain-broken",
        hint="git fetch origin 'refs/tags/mlops/*:refs/tags/mlops/*'; if nothing comes, "
        "an event was deleted or replaced",
        details={"tag": event.tag, "previous": event.payload.get("previous")},
    )
