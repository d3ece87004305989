"""The cache of a project: where its settings put it, and what may be read beside it."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.config import Settings
from mlops_cli.store.alias import attached
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.tier import open_tier
from mlops_cli.vcs.repo import Git


def place(root: Path, settings: Settings) -> Path:
    """Return the folder at `cache.shared` or `cache.dir`, relative to the project at `root`.

    Where nobody chose one, all work trees of a clone have that of the main one.
    """
    chosen = settings.get("cache.shared") or settings.get("cache.dir")
    nobody = settings.origin("cache.dir").layer == "default" and not settings.get("cache.shared")
    return (Git(root).main_root if nobody else root) / Path(str(chosen)).expanduser()


def cache_of(root: Path, settings: Settings) -> Cache:
    """Return the cache of the project at `root`, with its read-only tiers; nothing is made."""
    folder = place(root, settings)
    readonly = [values.get("") for values in settings.group("cache.readonly").values()]
    tiers = tuple(open_tier(root / Path(str(each)).expanduser()) for each in readonly)
    return open_cache(folder, (*tiers, *attached(folder)))
