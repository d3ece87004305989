"""What all projects that share a cache need of it: the union that gc asks for."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from mlops_cli.errors import MlopsError
from mlops_cli.ledger import roots as ledger
from mlops_cli.project import Project
from mlops_cli.registry import roots as registry
from mlops_cli.store.space import projects
from mlops_cli.store.space.collect import Named, Needs, names_in
from mlops_cli.vcs import history
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import roots as workspace
from mlops_cli.workspace.surplus import surplus


@dataclass(slots=True)
class Asker:
    """Asks what is needed; asking again costs what is new in git, and a look at the files."""

    project: Project
    _git: dict[Path, workspace.Memory] = field(default_factory=dict)
    _ledger: dict[str, frozenset[bytes]] = field(default_factory=dict)

    def needs(self) -> Needs:
        """Return what this project, those registered in its cache, and the run cache name.

        Raises StateRefused ("project-unreadable") for another project that cannot be asked.
        """
        cache = self.project.cache.root
        root, git = self.project.root, self.project.git
        found = self._of(root) | Needs(_of_runs(cache))
        if spare := surplus(root, git) - registry.roots(git).digests:
            found = Needs(found.now - spare, found.history - spare)
        for root in others(self.project):
            card = projects.card_of(cache, root)
            if not (root / ".git").exists():
                raise projects.unreadable(card, "there is no repository", root)
            try:
                found |= self._of(root)
            except (MlopsError, OSError) as exc:
                raise projects.unreadable(card, f"it cannot be read: {exc}", root) from exc
        return found

    def _of(self, root: Path) -> Needs:
        git = Git(root)
        memory = self._git.setdefault(root, workspace.Memory())
        recorded = ledger.roots(root, git, self._ledger) | registry.roots(git)
        return workspace.roots(root, git, memory) | Needs(recorded)


def others(project: Project) -> list[Path]:
    """Return the other projects that are registered in the cache, and other work trees of this
    clone, which may have the same."""
    known = [*projects.registered(project.cache.root), *history.worktrees(project.git)]
    return [root for root in dict.fromkeys(known) if not _same(root, project.root)]


def _same(one: Path, other: Path) -> bool:
    return one == other or os.path.realpath(one) == os.path.realpath(other)


def _of_runs(cache_root: Path) -> Named:
    found: set[bytes] = set()
    for path in (cache_root / "runs").glob("*.json"):
        with contextlib.suppress(FileNotFoundError):
            found |= names_in(path.read_bytes()).digests
    return Named(frozenset(found))
