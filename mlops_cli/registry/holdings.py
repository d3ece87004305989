"""What the tags of models say: their versions, the events of their aliases, and what is damaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlops_cli.errors import IntegrityError
from mlops_cli.registry import alias as alias_tags
from mlops_cli.registry import version as version_tags
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.version import Version
from mlops_cli.vcs.tags import Tag, Unreadable


@dataclass(frozen=True, slots=True)
class Holdings:
    """All that the tags of one model say: versions by number, events of each alias in order.

    `damaged` has tag → what is wrong with it; the others are whole.
    """

    model: str
    versions: tuple[Version, ...]
    aliases: Mapping[str, tuple[AliasEvent, ...]]
    damaged: Mapping[str, str] = field(default_factory=dict)

    def current(self) -> dict[str, AliasEvent]:
        """Return alias → its last event, of the aliases that can be read to their end."""
        lost = {alias_tags.TAG.fullmatch(name) for name in self.damaged}
        names = {match["alias"] for match in lost if match}
        return {name: all_[-1] for name, all_ in self.aliases.items() if name not in names}


def gathered(found: Iterable[Tag | Unreadable]) -> dict[str, Holdings]:
    """Return model → its holdings, as the tags `found` say."""
    versions: dict[str, list[Version]] = {}
    events: dict[str, dict[str, list[AliasEvent]]] = {}
    damaged: dict[str, dict[str, str]] = {}
    for tag in found:
        try:
            one = understood(tag)
        except IntegrityError as exc:
            damaged.setdefault(tag.name.split("/")[1], {})[tag.name] = exc.message
            continue
        if isinstance(one, Version):
            versions.setdefault(one.model, []).append(one)
        elif one is not None:
            events.setdefault(one.model, {}).setdefault(one.alias, []).append(one)
    return {
        name: Holdings(
            name,
            tuple(sorted(versions.get(name, ()), key=lambda version: version.number)),
            {
                alias: tuple(sorted(items, key=lambda event: event.number))
                for alias, items in sorted(events.get(name, {}).items())
            },
            damaged.get(name, {}),
        )
        for name in sorted({*versions, *events, *damaged})
    }


def understood(tag: Tag | Unreadable) -> Version | AliasEvent | None:
    """Return what `tag` stands for, None where its name is not one of the registry.

    Raises IntegrityError ("unreadable-tag", "damaged-version", "damaged-alias", …).
    """
    if isinstance(tag, Tag):
        return version_tags.from_tag(tag) or alias_tags.from_tag(tag)
    if not (version_tags.TAG.fullmatch(tag.name) or alias_tags.TAG.fullmatch(tag.name)):
        return None
    raise IntegrityError(
        f"the tag {tag.name} cannot be read: {tag.why}",
        code="unreadable-tag",
        hint=f"git show {tag.name}; git ls-remote --tags origin tells what others have",
        details={"tag": tag.name, "object": tag.id},
    )
