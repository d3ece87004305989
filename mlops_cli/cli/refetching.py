"""What was imported comes again from its source, where no remote of ours has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mlops_cli.errors import MlopsError

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.project import Project
    from mlops_cli.workspace.tracked import Tracked


def split(found: Sequence[Tracked]) -> tuple[list[Tracked], list[Tracked]]:
    """Return what has a source to come from, and what has none."""
    if all(one.pin is None for one in found):
        return [], list(found)
    from mlops_cli.workspace.pin import pin_of

    imported = [one for one in found if pin_of(one) is not None]
    return imported, [one for one in found if one not in imported]


def refetch(
    ctx: Context,
    project: Project,
    imported: Sequence[Tracked],
    from_remote: Callable[[Tracked], object],
) -> list[MlopsError]:
    """Bring `imported` into the cache: from our remote where they are pushed, else from their
    source. Return what went wrong, in the words of the source."""
    from mlops_cli.cli import reaching  # only for imports

    reach = reaching.reach(ctx, project.cache, project.root)
    failures: list[MlopsError] = []
    for one in imported:
        if one.push:
            try:
                from_remote(one)
                continue
            except MlopsError:
                pass  # not pushed yet, or no remote: its source is asked
        try:
            reach.again(one)
        except MlopsError as exc:
            failures.append(exc)
    return failures
