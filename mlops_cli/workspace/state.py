"""How the bytes in the workspace stand to what git says they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.files.compare import Change, Surveyed, changes
from mlops_cli.store.files.ingest import Stored, survey, total
from mlops_cli.store.files.scan import Scan, mode_of
from mlops_cli.store.statcache import StatCache
from mlops_cli.workspace import ignore
from mlops_cli.workspace.tracked import Tracked

NAMED_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One tracked path: how it stands, why, and the command that mends it ("" when clean).

    `changed` are the first files that differ in a folder, None where the cache lacks the listing
    that would tell; `more` says that there are others.
    """

    tracked: Tracked
    state: Literal["clean", "modified", "missing"]
    reason: str
    mend: str
    found: Stored | None  # what is there now
    changed: tuple[Change, ...] | None = ()
    more: bool = False

    @property
    def clean(self) -> bool:
        """Tell whether the workspace holds exactly what git says."""
        return self.state == "clean"


def state(
    root: Path,
    tracked: Sequence[Tracked],
    *,
    cache: Cache,
    stats: StatCache,
    progress: Progress = SILENT,
) -> list[Row]:
    """Return one row for each of `tracked`, in order; files that look as before are not read."""
    return [_row(root, one, cache=cache, stats=stats, progress=progress) for one in tracked]


def look(
    root: Path,
    path: str,
    *,
    cache: Cache,
    stats: StatCache | None,
    progress: Progress = SILENT,
) -> Scan | None:
    """Return what lies at `path` now, or None when nothing does."""
    place = fsio.inside(root, path, follow=False)
    ignored = ignore.ignored_in(root, path)
    try:
        return survey(place, stats=stats, ignored=ignored, cache=cache, progress=progress)
    except NotFound:
        return None


def _row(root: Path, one: Tracked, *, cache: Cache, stats: StatCache, progress: Progress) -> Row:
    seen = look(root, one.path, cache=cache, stats=stats, progress=progress)
    if seen is None:
        return Row(one, "missing", "not in the workspace", f"mlops checkout {one.path}", None)
    found = total(seen)
    mend = f"mlops add {one.path}" if one.step is None else "mlops run"
    if found.digest == one.digest and found.kind == one.kind:
        if one.step is not None or one.kind == "tree":
            return Row(one, "clean", "as git says", "", found)
        ((*_, bits),) = seen.folders[0].stats()
        executable = mode_of(bits) == "exec"
        if executable == one.executable:
            return Row(one, "clean", "as git says", "", found)
        reason = "can be executed now" if executable else "cannot be executed any more"
        return Row(one, "modified", reason, mend, found)
    reason = _difference(one, found)
    if found.kind != "tree" or one.kind != "tree":
        return Row(one, "modified", reason, mend, found)
    try:
        changed = changes(
            Surveyed.of(seen, cache), one.digest, found.digest, limit=NAMED_AT_MOST + 1
        )
    except (NotFound, IntegrityError):
        return Row(one, "modified", reason, mend, found, None)
    named = tuple(changed[:NAMED_AT_MOST])
    if all(change.kind == "deleted" for change in changed):
        mend = f"mlops checkout {one.path}"  # nothing here is lost by it
    return Row(one, "modified", reason, mend, found, named, len(changed) > NAMED_AT_MOST)


def _difference(one: Tracked, found: Stored) -> str:
    if found.kind != one.kind:
        words = {"file": "a file", "tree": "a folder"}
        return f"{words[found.kind]} now, was {words[one.kind]}"
    if found.files != one.files:
        return f"{found.files} files now, {one.files} before"
    if found.size != one.size:
        return f"{found.size} bytes now, {one.size} before"
    return "other bytes of the same size"
