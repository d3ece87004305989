"""The project around a folder: its root, and the parts that commands work with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlops_cli.config import Settings
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.statcache import StatCache
from mlops_cli.vcs.repo import Git, find_root, not_a_repository


@dataclass(frozen=True, slots=True)
class Project:
    """One frozen record of parts; a function is given the parts it uses, not the record."""

    root: Path
    git: Git
    settings: Settings
    cache: Cache
    stats: StatCache

    @property
    def state_folder(self) -> Path:
        """Return `.mlops`, where locks and local state live."""
        return self.root / ".mlops"


def open_project(start: Path, settings: Settings) -> Project:
    """Return the project around `start`; nothing is created and hardly anything read.

    The cache is at the setting `cache.dir`, relative to the root; what files look like is
    remembered per work tree, so a cache may be shared. Raises StateRefused
    ("not-a-git-repository").
    """
    root = find_root(start)
    if root is None:
        raise not_a_repository(start)
    cache = root / Path(str(settings.get("cache.dir"))).expanduser()
    state = root / ".mlops"
    shared = not cache.is_relative_to(state)
    stats = (state if shared else cache) / "stat.sqlite"
    return Project(root, Git(root), settings, open_cache(cache), StatCache(stats))
