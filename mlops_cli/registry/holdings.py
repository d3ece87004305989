"""What the tags of models say: their versions, and the events of their aliases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mlops_cli.registry import alias as alias_tags
from mlops_cli.registry import version as version_tags
from mlops_cli.registry.alias import AliasEvent
from mlops_cli.registry.version import Version
from mlops_cli.vcs.tags import Tag


@dataclass(frozen=True, slots=True)
class Holdings:
    """All that the tags of one model say: versions by number, events of each alias in order."""

    model: str
    versions: tuple[Version, ...]
    aliases: Mapping[str, tuple[AliasEvent, ...]]

    def current(self) -> dict[str, AliasEvent]:
        """Return alias → its last event."""
        return {name: events[-1] for name, events in self.aliases.items()}


def gathered(found: Iterable[Tag]) -> dict[str, Holdings]:
    """Return model → its holdings, as the tags `found` say."""
    versions: dict[str, list[Version]] = {}
    events: dict[str, dict[str, list[AliasEvent]]] = {}
    for tag in found:
        if version := version_tags.from_tag(tag):
            versions.setdefault(version.model, []).append(version)
        elif event := alias_tags.from_tag(tag):
            named = events.setdefault(event.model, {})
            named.setdefault(event.alias, []).append(event)
    return {
        name: Holdings(
            name,
            tuple(sorted(versions.get(name, ()), key=lambda version: version.number)),
            {
                alias: tuple(sorted(items, key=lambda event: event.number))
                for alias, items in sorted(events.get(name, {}).items())
            },
        )
        for name in sorted({*versions, *events})
    }
