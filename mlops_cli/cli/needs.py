"""What all projects that share a cache need of it: the union that gc asks for."""

from __future__ import annotations

import contextlib
from pathlib import Path

from mlops_cli.errors import MlopsError
from mlops_cli.ledger import roots as ledger
from mlops_cli.project import Project
from mlops_cli.registry import roots as registry
from mlops_cli.store import projects
from mlops_cli.store.collect import Named, Needs, names_in
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import roots as workspace


def needs(project: Project) -> Needs:
    """Return what this project, those registered in its cache, and the run cache name.

    Raises StateRefused ("project-unreadable") for another project that cannot be asked.
    """
    cache = project.cache.root
    found = _of(project.root) | Needs(_of_runs(cache))
    for root in others(project):
        card = projects.card_of(cache, root)
        if not (root / ".git").exists():
            raise projects.unreadable(card, "there is no repository", root)
        try:
            found |= _of(root)
        except (MlopsError, OSError) as exc:
            raise projects.unreadable(card, f"it cannot be read: {exc}", root) from exc
    return found


def others(project: Project) -> list[Path]:
    """Return the other projects that are registered in the cache."""
    return [root for root in projects.registered(project.cache.root) if root != project.root]


def _of(root: Path) -> Needs:
    git = Git(root)
    return workspace.roots(root, git) | Needs(ledger.roots(root, git) | registry.roots(git))


def _of_runs(cache_root: Path) -> Named:
    found: set[bytes] = set()
    for path in (cache_root / "runs").glob("*.json"):
        with contextlib.suppress(FileNotFoundError):
            found |= names_in(path.read_bytes()).digests
    return Named(frozenset(found))
