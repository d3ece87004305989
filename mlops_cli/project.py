"""The project around a folder: its root, and the parts that commands work with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlops_cli.config import Settings
from mlops_cli.store.cache import Cache
from mlops_cli.store.space import projects
from mlops_cli.store.statcache import StatCache
from mlops_cli.vcs.repo import Git, find_root, not_a_repository
from mlops_cli.workspace import caches


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
    """Return the project around `start`; hardly anything is read or made.

    The cache is at the setting `cache.shared` or `cache.dir`, relative to the root; what files
    look like is remembered per work tree, so a cache may be shared; it then learns of the project,
    so that gc of one project asks the others (the work trees of one clone are known to git).
    Raises StateRefused ("not-a-git-repository").
    """
    root = find_root(start)
    if root is None:
        raise not_a_repository(start)
    cache = caches.place(root, settings)
    git, state = Git(root, settings.get("signing.key")), root / ".mlops"
    if settings.get("cache.shared"):
        projects.found(cache)
    if cache.is_relative_to(state):
        memory = cache
    elif cache.is_relative_to(git.main_root / ".mlops"):
        memory = git.git_dir / "mlops"  # which goes with the work tree
    else:
        memory = state
        projects.register(cache, root)
    stats = StatCache(memory / "stat.sqlite")
    return Project(root, git, settings, caches.cache_of(root, settings), stats)
