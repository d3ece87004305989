"""Track: bytes go into the cache, a pointer stands in git for them, git ignores the bytes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.files.ingest import Stored, ingest
from mlops_cli.store.files.scan import Ignored
from mlops_cli.store.patch import Shelf
from mlops_cli.store.statcache import StatCache
from mlops_cli.store.tree import Entry
from mlops_cli.vcs import ignore as gitignore
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import admit, completeness, footing, ignore, part
from mlops_cli.workspace.part import Store
from mlops_cli.workspace.pointer import Pointer, write_pointer
from mlops_cli.workspace.tracked import Tracked


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did with one tracked path; `changed` is false when the pointer already said so.

    `parts` are the paths inside it that were taken, none where it was taken whole; `kept` files
    of these parts are not in the workspace and stay in the tracked folder. `before` says how many
    files it had, None when it was not tracked.
    """

    pointer: Pointer
    changed: bool
    parts: tuple[str, ...] = ()
    kept: int = 0
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a tracked path holds now, and what it held before; `parts` and `kept` as in Added."""

    path: str
    stored: Stored
    former: Tracked | None
    parts: tuple[str, ...] = ()
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where the bytes shall be kept; None leaves it as the pointer has it."""

    remote: str | None = None
    push: bool | None = None


def add(
    root: Path,
    paths: Sequence[str],
    *,
    git: Git,
    cache: Cache,
    stats: StatCache,
    tracked: Iterable[Tracked],
    shelf: Shelf | None = None,
    keeping: Keeping = Keeping(),
    force: bool = False,
    progress: Progress = SILENT,
) -> list[Added]:
    """Track each of `paths` (relative to `root`), or none of them where one is refused.

    A path inside a tracked folder is put into that folder, of which only the listings on the way
    are needed; `shelf` has them (the cache, if it is None). Other files of the folder stay in it
    whether they are in the workspace or not. `force` adds also what stands on an older pointer.
    Raises NotFound ("missing-path"), UsageError ("not-data"), StateRefused ("already-in-git",
    "inside-tracked", "holds-tracked", "made-by-step", "is-a-link", "ignored", "behind"), and what
    `ingest` raises.
    """
    with cache.writing():  # until pointers name it, gc must leave it alone
        taken = take(
            root,
            paths,
            git=git,
            cache=cache,
            stats=stats,
            tracked=tracked,
            shelf=shelf,
            force=force,
            progress=progress,
        )
        added = [keep(root, one, keeping) for one in taken]
    completeness.learn(cache, [one.pointer.digest for one in added if not one.parts])
    return added


def take(
    root: Path,
    paths: Sequence[str],
    *,
    git: Git,
    cache: Cache,
    stats: StatCache,
    tracked: Iterable[Tracked],
    shelf: Shelf | None = None,
    store: Store | None = None,
    force: bool = False,
    progress: Progress = SILENT,
) -> list[Taken]:
    """Store what lies at `paths` and return it, before any pointer says so; see `add`.

    `store` keeps the bytes of one path in another way than `ingest`.
    """
    known = list(tracked)
    admit.check(root, paths, git=git, tracked=known)
    ignore.hide(cache.root)

    def ingested(path: Path, ignored: Ignored | None) -> Stored:
        return ingest(path, cache=cache, stats=stats, ignored=ignored, progress=progress)

    store = store or ingested
    former = {one.path: one for one in known}
    taken: list[Taken] = []
    parts: dict[str, list[str]] = {}
    for path in paths:
        if folder := part.around(known, path):
            if not force:
                footing.refuse(root, folder)
            parts.setdefault(folder.path, []).append(path)
        else:
            stored = store(root / path, ignore.ignored_in(root, path))
            if path in former and not force:
                footing.refuse(root, former[path], stored.digest)
            taken.append(Taken(path, stored, former.get(path)))
    for folder_path, inner in parts.items():
        one = former[folder_path]
        put: dict[str, Entry | None] = {}
        kept = 0
        for path in inner:
            more, missing = part.take(
                root, one, path, cache=cache, shelf=shelf or cache, store=store
            )
            put |= more
            kept += missing
        made = part.rewrite(cache, shelf or cache, one, put)
        stored = Stored(made.digest, "tree", made.size, made.files)
        taken.append(Taken(folder_path, stored, one, tuple(inner), kept))
    return taken


def keep(root: Path, taken: Taken, keeping: Keeping = Keeping()) -> Added:
    """Write the pointer for what is stored already, and have git ignore the bytes.

    Where the bytes are kept stays as it was unless `keeping` says otherwise; where they were
    imported from is true only of the bytes that came from there, and so is that they need no push.
    """
    place, former = root / taken.path, taken.former
    pointer = pointer_of(root, taken, keeping)
    # before the pointer: a crash between the two must not leave data that `git add .` takes
    gitignore.add_lines(place.parent / ".gitignore", [gitignore.escaped(place.name)])
    before = former.files if former else None
    changed = write_pointer(root, pointer)
    if not taken.parts or (former is not None and footing.holds(root, former)):
        footing.remember(root, pointer)
    return Added(pointer, changed, taken.parts, taken.kept, before)


def pointer_of(root: Path, taken: Taken, keeping: Keeping = Keeping()) -> Pointer:
    """Return the pointer for what is stored already; see `keep`."""
    path, stored, former = taken.path, taken.stored, taken.former
    own = former is not None and former.pin is not None and former.digest != stored.digest
    push = former.push if former is not None and not own else True
    return Pointer(
        path,
        stored.digest,
        stored.kind,
        stored.size,
        stored.files,
        executable=stored.kind == "file" and executable(root / path),
        remote=keeping.remote or (former.remote if former else None),
        push=keeping.push if keeping.push is not None else push,
        pin=former.pin if former is not None and not own else None,
    )


def executable(place: Path) -> bool:
    """Tell whether a file can be executed by its owner."""
    try:
        mode = os.lstat(place).st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IXUSR)
