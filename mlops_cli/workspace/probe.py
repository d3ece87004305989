"""What `add` would do with some paths, told before anything is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import Stored, fingerprint
from mlops_cli.store.patch import Shelf, find
from mlops_cli.store.statcache import StatCache
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import admit, footing, part
from mlops_cli.workspace.tracked import Tracked


@dataclass(frozen=True, slots=True)
class Probed:
    """What lies at a path; `around` is the tracked folder in which it lies, if it does."""

    path: str
    stored: Stored
    changed: bool
    around: str | None


def probe(
    root: Path,
    paths: Sequence[str],
    *,
    git: Git,
    cache: Cache,
    stats: StatCache,
    tracked: Sequence[Tracked],
    shelf: Shelf,
    force: bool = False,
    progress: Progress = SILENT,
) -> list[Probed]:
    """Return what lies at `paths` and whether `add` would change a pointer by it.

    Raises what `track.add` raises before it stores anything.
    """
    admit.check(root, paths, git=git, tracked=tracked)
    known = {one.path: one for one in tracked}
    found = []
    for path in paths:
        folder = part.around(tracked, path)
        ignored = part.ignored(root, folder, path)
        place = root / path
        target = part.own_link(place, cache) if place.is_symlink() else None
        if folder is not None and target is not None:
            stored = Stored(Digest.of(target), "file", len(target), 1)
        else:
            stored = fingerprint(
                place, stats=stats, ignored=ignored, cache=cache, progress=progress
            )
        if not force and (one := folder or known.get(path)):
            footing.refuse(root, one, None if folder else stored.digest)
        if folder is None:
            former = known[path].digest if path in known else None
        else:
            entry = find(shelf, folder.digest, part.inner(folder, path))
            former = entry.digest if entry else None
        around = folder.path if folder else None
        found.append(Probed(path, stored, former != stored.digest, around))
    return found
