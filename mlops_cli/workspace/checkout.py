"""Checkout: the workspace is brought to what git says, never over bytes stored nowhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError, NotFound, StateRefused
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.closure import closure
from mlops_cli.store.files.materialize import LinkKind, Plan, materialize, plan_materialize
from mlops_cli.store.space import used
from mlops_cli.store.statcache import StatCache
from mlops_cli.workspace import ignore
from mlops_cli.workspace.target import NAMED_AT_MOST, Target, not_here, whole
from mlops_cli.workspace.tracked import Tracked


@dataclass(frozen=True, slots=True)
class Step:
    """What has to happen for one tracked path; `place` is where, as a person calls it."""

    tracked: Tracked
    plan: Plan
    place: str

    @property
    def changes(self) -> int:
        """How many files are written or removed."""
        return len(self.plan.create) + len(self.plan.replace) + len(self.plan.delete)

    @property
    def unsaved(self) -> list[str]:
        """Return the files that would be lost, relative to the project."""
        path = self.place
        alone = self.tracked.kind == "file" and self.plan.unsaved == (Path(path).name,)
        return [path] if alone else [f"{path}/{name}" for name in self.plan.unsaved]


def plan_checkout(
    root: Path, tracked: Sequence[Tracked], *, cache: Cache, stats: StatCache
) -> list[Step]:
    """Return what must be written and removed so that the workspace holds `tracked`.

    Raises NotFound ("missing-object"), IntegrityError ("damaged-object"), both by path.
    """
    return plan_targets(root, [whole(one) for one in tracked], cache=cache, stats=stats)


def plan_targets(
    root: Path,
    targets: Sequence[Target],
    *,
    cache: Cache,
    stats: StatCache,
    to: Path | None = None,
) -> list[Step]:
    """Return what must be written and removed so that the workspace holds `targets`.

    With `to`, they go below that folder, each at its path in the project, and what is ignored in
    the project is not there. Raises as `plan_checkout` does.
    """
    steps, missing = [], []
    for target in targets:
        try:
            steps.append(_step(root, target, cache=cache, stats=stats, to=to))
        except NotFound:
            missing.append(target.tracked.path)
    if missing:
        raise not_here(missing)
    return steps


def refuse_unsaved(steps: Sequence[Step]) -> None:
    """Raise StateRefused ("unsaved-bytes") when a step would lose bytes that are stored nowhere."""
    unsaved = [path for step in steps for path in step.unsaved]
    if not unsaved:
        return
    shown = ", ".join(unsaved[:3]) + (f" and {len(unsaved) - 3} more" if unsaved[3:] else "")
    paths = " ".join(step.place for step in steps if step.unsaved)
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
                raise _damaged(step.tracked, exc, step.plan.cache) from exc
    if steps:
        wanted = [step.tracked.digest.raw for step in steps]
        used.note(steps[0].plan.cache.root, wanted, int(time.time()))


def _step(root: Path, target: Target, *, cache: Cache, stats: StatCache, to: Path | None) -> Step:
    one = target.tracked
    place = fsio.inside(to or root, one.path, follow=False)
    try:
        plan = plan_materialize(
            cache,
            one.digest,
            one.kind,
            place,
            mode=target.mode,
            stats=stats,
            ignored=None if to else ignore.ignored_in(root, one.path),
        )
    except IntegrityError as exc:
        raise _damaged(one, exc, cache) from exc
    return Step(one, plan, str(place) if to else one.path)


def _damaged(one: Tracked, exc: IntegrityError, cache: Cache) -> IntegrityError:
    path = one.path
    with contextlib.suppress(IntegrityError):  # a tree that only a stranger would write
        reached = closure(cache, [one.root])
        for part in (*reached.damaged, *reached.objects.values()):
            if part.digest == exc.details.get("digest"):
                path = part.path
                break
    return IntegrityError(
        f"{path} cannot be checked out: {exc.message}",
        code=exc.code,
        hint=exc.hint,
        details={**exc.details, "path": one.path, "file": path},
    )
