"""A changed folder in words, "3 files added"; it costs a look into trees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.errors import MlopsError
from mlops_cli.pipeline.planning.reasons import InputChanged, Reason

if TYPE_CHECKING:
    from mlops_cli.store.cache import Cache
    from mlops_cli.store.statcache import StatCache

NAMED = 2  # so few files are told by name


def detailed(reason: Reason, root: Path, cache: Cache, stats: StatCache | None) -> Reason:
    """Return `reason` with more words where it is about a folder whose old listing is known."""
    if not isinstance(reason, InputChanged) or not reason.old or not reason.new:
        return reason
    if not (root / reason.path).is_dir():
        return reason
    from mlops_cli.store.digest import Digest
    from mlops_cli.store.files.compare import Surveyed, changes
    from mlops_cli.store.files.ingest import survey, total
    from mlops_cli.workspace.ignore import ignored_in

    ignored = ignored_in(root, reason.path)
    try:
        now = survey(root / reason.path, stats=stats, ignored=ignored, cache=cache)
        found = changes(Surveyed.of(now, cache), Digest(reason.old), total(now).digest)
    except MlopsError:
        return reason  # the old listing is gone; that it changed is still true
    words: list[str] = []
    for kind in ("added", "modified", "deleted"):
        paths = [change.path for change in found if change.kind == kind]
        if paths:
            names = f" ({', '.join(paths)})" if len(paths) <= NAMED else ""
            plural = "" if len(paths) == 1 else "s"
            words.append(f"{len(paths)} file{plural} {kind}{names}")
    return replace(reason, detail=", ".join(words))
