"""Whoever edited a file through its link into the cache is told, by the next command that looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_cli.store.files import edited, linked

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.project import Project


def settle(ctx: Context, project: Project) -> None:
    """Take edits made through links out of the cache, and say which files they are in."""
    for path in edited.settle(linked.beside(project.stats), project.cache):
        name = path.removeprefix(f"{project.root}/")
        ctx.warn(
            f"{name} was edited through its link into the cache: the edit is kept, the object was "
            "set aside; mlops verify --repair brings it back"
        )
