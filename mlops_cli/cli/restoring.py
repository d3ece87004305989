"""After a merge or a checkout of git: data brought along, and what could not be told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.project import Project
    from mlops_cli.workspace.tracked import Tracked


def restore(ctx: Context, project: Project, wanted: Iterable[Tracked]) -> list[str]:
    """Bring `wanted` into the workspace, warn of what stays as it is, return what changed."""
    from mlops_cli.workspace import footing
    from mlops_cli.workspace import restore as core

    every = list(wanted)
    found = core.restore(
        project.root,
        every,
        cache=project.cache,
        stats=project.stats,
        link=project.settings.get("cache.link"),
        progress=ctx.progress,
    )
    old = {one.path for one in every if footing.former(project.root, one) is not None}
    edited = [path for path in found.unsaved if path not in old]
    both = [path for path in found.unsaved if path in old]
    alone = "left alone, for bytes in it are stored nowhere"
    for paths, why, mend in (
        (edited, alone, "mlops add"),
        (both, f"{alone}, and git has moved on", "mlops merge"),
        (found.lacking, "not in the cache as a whole", "mlops pull"),
        (found.damaged, "damaged in the cache", "mlops verify --repair"),
    ):
        if paths:
            more = f" and {len(paths) - 3} more" if paths[3:] else ""
            named = "" if mend.startswith("mlops verify") else f" {' '.join(paths[:3])}"
            ctx.warn(f"{', '.join(paths[:3])}{more}: {why}: {mend}{named}")
    return found.done
