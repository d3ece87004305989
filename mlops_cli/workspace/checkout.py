"""Checkout: the workspace is brought to what git says, never over bytes stored nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError, NotFound, StateRefused
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.materialize import LinkKind, Plan, materialize, plan_materialize
from mlops_cli.store.statcache import StatCache
from mlops_cli.workspace import ignore
from mlops_cli.workspace.tracked import Tracked

NAMED_AT_MOST = 50


@dataclass(frozen=True, slots=True)
class Step:
    """What has to happen for one tracked path."""

    tracked: Tracked
    plan: Plan

    @property
    def changes(self) -> int:
        """How many files are written or removed."""
        return len(self.plan.create) + len(self.plan.replace) + len(self.plan.delete)

    @property
    def unsaved(self) -> list[str]:
        """Return the files that would be lost, relative to the project."""
        path = self.tracked.path
        alone = self.tracked.kind == "file" and self.plan.unsaved == (Path(path).name,)
        return [path] if alone else [f"{path}/{name}" for name in self.plan.unsaved]


def plan_checkout(
    root: Path, tracked: Sequence[Tracked], *, cache: Cache, stats: StatCache
) -> list[Step]:
    """Return what must be written and removed so that the workspace holds `tracked`.

    Raises NotFound ("missing-object"), IntegrityError ("damaged-object"), both by path.
    """
    steps, missing = [], []
    for one in tracked:
        try:
            steps.append(_step(root, one, cache=cache, stats=stats))
        except NotFound:
            missing.append(one.path)
    if missing:
        raise _not_here(missing)
    return steps


def refuse_unsaved(steps: Sequence[Step]) -> None:
    """Raise StateRefused ("unsaved-bytes") when a step would lose bytes that are stored nowhere."""
    unsaved = [path for step in steps for path in step.unsaved]
    if not unsaved:
        return
    shown = ", ".join(unsaved[:3]) + (f" and {len(unsaved) - 3} more" if unsaved[3:] else "")
    paths = " ".join(step.tracked.path for step in steps if step.unsaved)
    raise StateRefused(
        f"checkout would lose bytes that are stored nowhere: {shown}",
        code="unsaved-bytes",
        hint=f"mlops add {paths} to keep them, or pass --force to lose them",
        details={"paths": unsaved[:NAMED_AT_MOST], "count": len(unsaved)},
    )


def carry_out(
    steps: Sequence[Step],
    *,
    link: LinkKind = "auto",
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> None:
    """Do what `steps` say; all are looked at before the first is done.

    Raises StateRefused ("unsaved-bytes") and what `materialize` raises.
    """
    if not overwrite:
        refuse_unsaved(steps)
    for step in steps:
        if step.plan.moves:
            try:
                materialize(step.plan, link=link, overwrite=overwrite, progress=progress)
            except IntegrityError as exc:
                raise _damaged(step.tracked, exc) from exc


def _step(root: Path, one: Tracked, *, cache: Cache, stats: StatCache) -> Step:
    to = fsio.inside(root, one.path)
    ignored = ignore.ignored_in(root, one.path)
    try:
        plan = plan_materialize(cache, one.digest, one.kind, to, stats=stats, ignored=ignored)
    except IntegrityError as exc:
        raise _damaged(one, exc) from exc
    return Step(one, plan)


def _not_here(paths: Sequence[str]) -> NotFound:
    more = f" (and {len(paths) - 1} more)" if paths[1:] else ""
    return NotFound(
        f"{paths[0]} is not in the cache as a whole{more}",
        code="missing-object",
        hint="mlops pull" if paths[1:] else f"mlops pull {paths[0]}",
        details={"paths": list(paths[:NAMED_AT_MOST]), "count": len(paths)},
    )


def _damaged(one: Tracked, exc: IntegrityError) -> IntegrityError:
    return IntegrityError(
        f"{one.path} cannot be checked out: {exc.message}",
        code=exc.code,
        hint=exc.hint,
        details={"path": one.path, **exc.details},
    )
