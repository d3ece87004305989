"""Every tag of the registry read again: payloads that fit their names, chains without a gap."""

from __future__ import annotations

from mlops_cli.errors import IntegrityError
from mlops_cli.registry import alias, version
from mlops_cli.registry.alias import AliasEvent, check_chain
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git


def verify(git: Git) -> tuple[int, dict[str, str]]:
    """Return how many tags were read, and tag → what is wrong with it."""
    checked = 0
    damaged: dict[str, str] = {}
    chains: dict[str, list[AliasEvent]] = {}
    for tag in tags.listing(git, "mlops/"):
        try:
            event = alias.from_tag(tag)
            known = version.from_tag(tag) or event
        except IntegrityError as exc:
            damaged[tag.name] = exc.message
            continue
        checked += known is not None
        if event is not None:
            chains.setdefault(event.name, []).append(event)
    for events in chains.values():
        try:
            check_chain(sorted(events, key=lambda event: event.number))
        except IntegrityError as exc:
            damaged[str(exc.details["tag"])] = exc.message
    return checked, damaged
