"""Registered models, as things that push and pull can carry: bundles, and what judges them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.store.cache import Cache
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git

if TYPE_CHECKING:
    from mlops_cli.registry.holdings import Holdings
    from mlops_cli.registry.version import Version
    from mlops_cli.workspace.tracked import Tracked


def split(words: Sequence[str], cwd: Path) -> tuple[list[str], list[str]]:
    """Return paths and names of versions ("delay@production") among what a person typed."""
    names = [word for word in words if "@" in word and "/" not in word]
    names = [name for name in names if not (cwd / name).exists()]
    return [word for word in words if word not in names], names


def named(git: Git, names: Sequence[str]) -> list[Tracked]:
    """Return what belongs to the versions that `names` mean, and the versions that they are held
    against where a name has an alias: a deployment judges it again. Raises NotFound."""
    if not names:
        return []
    from mlops_cli.registry.registry import Registry

    registry = Registry(git)
    found: list[Tracked] = []
    for name in names:
        version = registry.resolve(name)
        found += _parts(version)
        holdings = registry.of(version.model)
        if name.partition("@")[2] in holdings.aliases:
            found += _rivals(holdings)
    return list(dict.fromkeys(found))


def held(git: Git, cache: Cache, warn: Callable[[str], None]) -> list[Tracked]:
    """Return what belongs to all versions, as far as the cache holds it; tags that say nothing
    are told."""
    return [one for one in every(git, warn) if cache.has(one.digest)]


def every(git: Git, warn: Callable[[str], None]) -> list[Tracked]:
    """Return what belongs to all versions."""
    return [
        part
        for holdings in _holdings(git, warn)
        for version in holdings.versions
        for part in _parts(version)
    ]


def current(git: Git, warn: Callable[[str], None]) -> list[Tracked]:
    """Return what belongs to the versions that an alias stands for now, and their rivals."""
    found: list[Tracked] = []
    for holdings in _holdings(git, warn):
        aliased = {event.version for event in holdings.current().values()}
        for version in holdings.versions:
            found += _parts(version) if version.number in aliased else []
        found += _rivals(holdings)
    return list(dict.fromkeys(found))


def _holdings(git: Git, warn: Callable[[str], None]) -> list[Holdings]:
    found = tags.listing(git, "mlops/")
    if not found:  # most projects register no models, and need not know what one is
        return []
    from mlops_cli.registry.holdings import gathered

    holdings = list(gathered(found).values())
    for why in (why for each in holdings for why in each.damaged.values()):
        warn(f"left out: {why}")
    return holdings


def _rivals(holdings: Holdings) -> list[Tracked]:
    """Return the bundles that the aliases mean now, and those that they meant before."""
    events = holdings.current().values()
    numbers = {number for one in events for number in (one.version, one.payload.get("former"))}
    several = [_parts(version) for version in holdings.versions if version.number in numbers]
    return [parts[0] for parts in several if parts]


def _parts(version: Version) -> list[Tracked]:
    """Return the bundle of a version and the rows it is judged on; neither if it says none."""
    from mlops_cli.workspace.tracked import Tracked

    name, found = f"{version.model}@v{version.number}", []
    if version.payload.get("bundle"):
        found.append(Tracked(name, version.bundle, "tree", 0, 0, version.tag))
        if rows := version.judged_on:
            found.append(Tracked(f"{name} rows", rows, "tree", 0, 0, version.tag))
    return found
