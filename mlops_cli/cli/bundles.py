"""Bundles of registered models, as things that push and pull can carry."""

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
    """Return the bundles of the versions that `names` mean. Raises NotFound."""
    if not names:
        return []
    from mlops_cli.registry.registry import Registry

    registry = Registry(git)
    return [_bundle(registry.resolve(name)) for name in names]


def held(git: Git, cache: Cache, warn: Callable[[str], None]) -> list[Tracked]:
    """Return the bundles of all versions that the cache holds; tags that say nothing are told."""
    every = [
        _bundle(version)
        for holdings in _holdings(git, warn)
        for version in holdings.versions
        if version.payload.get("bundle")
    ]
    return [one for one in every if cache.has(one.digest)]


def current(git: Git, warn: Callable[[str], None]) -> list[Tracked]:
    """Return the bundles of the versions that an alias stands for now."""
    return [
        _bundle(version)
        for holdings in _holdings(git, warn)
        for version in holdings.versions
        if version.number in _aliased(holdings) and version.payload.get("bundle")
    ]


def _holdings(git: Git, warn: Callable[[str], None]) -> list[Holdings]:
    found = tags.listing(git, "mlops/")
    if not found:  # most projects register no models, and need not know what one is
        return []
    from mlops_cli.registry.holdings import gathered

    every = list(gathered(found).values())
    for why in (why for each in every for why in each.damaged.values()):
        warn(f"left out: {why}")
    return every


def _aliased(holdings: Holdings) -> set[int | None]:
    return {event.version for event in holdings.current().values()}


def _bundle(version: Version) -> Tracked:
    from mlops_cli.workspace.tracked import Tracked

    name = f"{version.model}@v{version.number}"
    return Tracked(name, version.bundle, "tree", 0, 0, version.tag)
