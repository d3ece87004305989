"""How the bytes in the workspace stand to what git says they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlops_cli import fsio
from mlops_cli.errors import NotFound
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.ingest import Stored, fingerprint
from mlops_cli.store.statcache import StatCache
from mlops_cli.workspace import ignore
from mlops_cli.workspace.tracked import Tracked


@dataclass(frozen=True, slots=True)
class Row:
    """One tracked path: how it stands, why, and the command that mends it ("" when clean)."""

    tracked: Tracked
    state: Literal["clean", "modified", "missing"]
    reason: str
    mend: str
    found: Stored | None  # what is there now

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
    trees: dict[Digest, bytes] | None = None,
) -> Stored | None:
    """Return what lies at `path` now, or None when nothing does."""
    place = fsio.inside(root, path)
    try:
        return fingerprint(
            place,
            stats=stats,
            ignored=ignore.ignored_in(root, path),
            cache=cache,
            progress=progress,
            trees=trees,
        )
    except NotFound:
        return None


def _row(root: Path, one: Tracked, *, cache: Cache, stats: StatCache, progress: Progress) -> Row:
    found = look(root, one.path, cache=cache, stats=stats, progress=progress)
    if found is None:
        return Row(one, "missing", "not in the workspace", f"mlops checkout {one.path}", None)
    if found.digest == one.digest and found.kind == one.kind:
        return Row(one, "clean", "as git says", "", found)
    mend = f"mlops add {one.path}" if one.step is None else "mlops run"
    return Row(one, "modified", _difference(one, found), mend, found)


def _difference(one: Tracked, found: Stored) -> str:
    if found.kind != one.kind:
        words = {"file": "a file", "tree": "a folder"}
        return f"{words[found.kind]} now, was {words[one.kind]}"
    if found.files != one.files:
        return f"{found.files} files now, {one.files} before"
    if found.size != one.size:
        return f"{found.size} bytes now, {one.size} before"
    return "other bytes of the same size"
