"""What an alias points to: the last of its events, each a tag that names the one before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import IntegrityError
from mlops_cli.registry.version import Unfit, fitting, is_digest, is_time
from mlops_cli.store.digest import Digest
from mlops_cli.vcs.tags import Tag

SCHEMA = "mlops.alias/1"
_ACTION = re.compile(r"[a-z]{1,20}")  # promote, set, rollback, retire, and what is to come
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
        if lie := next(_lies(payload), None):
            raise Unfit(f"says {lie}: {str(payload.get(lie))[:60]!r}")
    except Unfit as exc:
        raise IntegrityError(
            f"the tag {tag.name} {exc}",
            code="damaged-alias",
            hint=f"git show {tag.name}",
            details={"tag": tag.name},
        ) from None
    return AliasEvent(model, alias, number, payload, tag.name, tag.id)


def _lies(payload: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields that are not what others build on; those left out are none."""
    said = {name: value for name, value in payload.items() if value is not None}
    if "version" in said and not (type(said["version"]) is int and said["version"] > 0):
        yield "version"
    if "version" in said and "digest" not in said:
        yield "digest"
    if not is_time(said.get("time")):
        yield "time"
    for name, fits in _FORMS.items():
        if name in said and not fits(said[name]):
            yield name


def _is_rules(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, dict)
        and isinstance(each.get("name"), str)
        and isinstance(each.get("why", ""), str)
        and isinstance(each.get("passed"), bool)
        for each in value
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_FORMS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("digest", "payload", "previous", "policy"), is_digest),
    **dict.fromkeys(("actor", "reason"), _is_text),
    "action": lambda value: _is_text(value) and bool(_ACTION.fullmatch(value)),
    "former": lambda value: type(value) is int,
    "rules": _is_rules,
    "approvals": lambda value: isinstance(value, list) and all(isinstance(a, dict) for a in value),
    "parents": lambda value: isinstance(value, list) and all(map(is_digest, value)),
    "policy_from": lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
}


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
