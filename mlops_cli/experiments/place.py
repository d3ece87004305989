"""A scratch tree as a project in which steps can run: its parts, and the data that steps read."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.digest import Digest
from mlops_cli.store.statcache import StatCache
from mlops_cli.vcs.scratch import scratch

if TYPE_CHECKING:
    from mlops_cli.pipeline.graph.graph import Graph
    from mlops_cli.project import Project
    from mlops_cli.store.cache import Cache
    from mlops_cli.workspace.tracked import Tracked

CACHE_VARIABLE = "MLOPS_CACHE_DIR"


@contextlib.contextmanager
def elsewhere(project: Project, revision: str, *, isolated: bool = False) -> Iterator[Project]:
    """Offer `revision` as a project of its own, in a scratch tree that goes at the end.

    It has the cache of `project`; when `isolated`, one of its own through which that of `project`
    is only read, so that nothing that happens there is remembered. Raises as `scratch`.
    """
    with scratch(project.git, revision) as git:
        cache = _beside(git.root, project.cache) if isolated else project.cache
        yield replace(
            project,
            root=git.root,
            git=git,
            cache=cache,
            stats=StatCache(git.git_dir / "mlops/stat.sqlite"),
        )


def bring(
    project: Project,
    there: Project,
    graph: Graph,
    steps: Collection[str],
    *,
    now: datetime,
    progress: Progress = SILENT,
) -> list[str]:
    """Check out in `there` the tracked data that `steps` read; what the cache of `project` lacks
    comes from its remotes. Return the paths.

    Raises NotFound ("no-remote", "missing-object"), IntegrityError, OutsideWorld.
    """
    from mlops_cli.workspace import checkout
    from mlops_cli.workspace.tracked import related, tracked

    deps = {path for name in steps for path in graph.steps[name].deps}
    wanted = [
        one
        for one in tracked(there.root, there.git)
        if one.step is None and any(related(one.path, dep) for dep in deps)
    ]
    fetch(project, wanted, now=now, progress=progress)
    plan = checkout.plan_checkout(there.root, wanted, cache=project.cache, stats=there.stats)
    link = str(there.settings.get("cache.link"))
    checkout.carry_out(plan, link=link, overwrite=True, progress=progress)  # type: ignore[arg-type]
    return [one.path for one in wanted]


def bring_outputs(
    project: Project, there: Project, steps: Collection[str], *, now: datetime, progress: Progress
) -> None:
    """Have what the locks say that `steps` made where a run in `there` restores it from."""
    from mlops_cli.store.copying import copy
    from mlops_cli.workspace.tracked import tracked

    if steps:
        wanted = [one for one in tracked(there.root, there.git) if one.step in steps]
        fetch(project, wanted, now=now, progress=progress)
        copy(project.cache, there.cache, [one.root for one in wanted])


def patch(project: Project, there: Project, digest: str) -> None:
    """Make in `there` the changes that nobody committed; the cache has them under `digest`."""
    from mlops_cli.vcs.answer import failed

    words = ("apply", "--binary", "--whitespace=nowarn", "-")
    answer = there.git.call(*words, input=project.cache.read(Digest(digest)))
    if answer.code != 0:
        raise failed(words, answer)


def fetch(
    project: Project, wanted: Collection[Tracked], *, now: datetime, progress: Progress = SILENT
) -> None:
    """Bring into the cache of `project` what it lacks of `wanted`, from where each is kept."""
    from mlops_cli.workspace import remotes, sync

    lacking = sync.lacking(project.cache, list(wanted))
    for route in remotes.routes(project.settings, lacking) if lacking else ():
        place = remotes.connect(route.remote, project.root)
        sync.fetch(project.cache, place, route.tracked, now=now, progress=progress)


def _beside(root: Path, cache: Cache) -> Cache:
    from mlops_cli.store.cache import open_cache
    from mlops_cli.store.tier import open_tier

    return open_cache(root / ".mlops/cache", (open_tier(cache.root), *cache.tiers))
