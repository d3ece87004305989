"""What an alias points to: the last of its events, each a tag that names the one before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import IntegrityError
from mlops_cli.store.digest import Digest
from mlops_cli.vcs.tags import Tag

SCHEMA = "mlops.alias/1"
TAG = re.compile(r"mlops/(?P<model>[^/@]+)/@(?P<alias>[^/@]+)/(?P<event>[1-9]\d*)")


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
    def digest(self) -> Digest:
        """The identity of the event: the SHA-256 of its canonical payload."""
        return Digest.of(canonical_json(self.payload))

    @property
    def name(self) -> str:
        """The name that commands take: delay@production."""
        return f"{self.model}@{self.alias}"


def from_tag(tag: Tag) -> AliasEvent | None:
    """Return the event that `tag` stands for, None for tags of another kind.

    Raises IntegrityError ("damaged-alias") when its payload is that of another event.
    """
    match = TAG.fullmatch(tag.name)
    if match is None:
        return None
    payload = tag.value()
    model, alias, number = match["model"], match["alias"], int(match["event"])
    said = None
    if isinstance(payload, dict):
        said = (payload.get("model"), payload.get("alias"), payload.get("event"))
    if said != (model, alias, number):
        raise IntegrityError(
            f"the tag {tag.name} holds the payload of something else",
            code="damaged-alias",
            hint=f"git show {tag.name}",
            details={"tag": tag.name, "says": said},
        )
    return AliasEvent(model, alias, number, payload, tag.name, tag.id)


def check_chain(events: Sequence[AliasEvent]) -> None:
    """Confirm that `events`, in order, are 1, 2, 3, … and each names the one before.

    Raises IntegrityError ("alias-chain-broken") at the first that does not: an event was deleted
    or replaced, or has not been fetched.
    """
    former: AliasEvent | None = None
    for position, event in enumerate(events, start=1):
        expected = former.digest if former else None
        if event.number != position or event.payload.get("previous") != expected:
            raise IntegrityError(
                f"event {event.number} of {event.name} does not follow the one before it",
                code="alias-chain-broken",
                hint="git fetch --tags; if nothing is missing, an event was deleted or replaced",
                details={"tag": event.tag, "previous": event.payload.get("previous")},
            )
        former = event
