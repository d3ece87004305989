"""Data follows git: what can be brought to what git says is, all else is told and left alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.files.materialize import LinkKind
from mlops_cli.store.statcache import StatCache
from mlops_cli.workspace import footing
from mlops_cli.workspace.checkout import carry_out, plan_checkout
from mlops_cli.workspace.tracked import Tracked


@dataclass(slots=True)
class Restored:
    """Tracked paths by what became of them; those that were right already are in none."""

    done: list[str] = field(default_factory=list)
    unsaved: list[str] = field(default_factory=list)  # hold bytes that are stored nowhere
    lacking: list[str] = field(default_factory=list)  # are not in the cache as a whole
    damaged: list[str] = field(default_factory=list)


def restore(
    root: Path,
    wanted: Iterable[Tracked],
    *,
    cache: Cache,
    stats: StatCache,
    link: LinkKind = "auto",
    progress: Progress = SILENT,
) -> Restored:
    """Bring each of `wanted` into the workspace as far as that loses nothing; raise for none."""
    found = Restored()
    for one in wanted:
        try:
            steps = plan_checkout(root, [one], cache=cache, stats=stats)
            if any(step.unsaved for step in steps):
                found.unsaved.append(one.path)
                continue
            carry_out(steps, link=link, progress=progress)
            footing.settle(root, [one])
        except NotFound:
            found.lacking.append(one.path)
        except IntegrityError:
            found.damaged.append(one.path)
        else:
            if any(step.changes for step in steps):
                found.done.append(one.path)
    return found
