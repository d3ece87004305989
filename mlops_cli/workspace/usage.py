"""How much disk what is tracked takes: in the workspace, in the cache, and its past versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.store.cache import Cache
from mlops_cli.store.closure import Reached, Root, closure
from mlops_cli.store.files.scan import scan
from mlops_cli.vcs.repo import Git
from mlops_cli.vcs.versions import versions
from mlops_cli.workspace import ignore
from mlops_cli.workspace.pointer import is_pointer
from mlops_cli.workspace.tracked import LOCKS, Tracked, parsed

Objects = dict[bytes, int]  # raw digest → bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of one tracked path: `size` as git says, `workspace` as found (None: nothing is).

    In the cache are `unique` bytes that nothing else needs now, `shared` ones that other tracked
    paths need too, and `history` that only former versions need (None: not asked). `versions`
    counts those that git has, this one included.
    """

    tracked: Tracked
    size: int
    workspace: int | None
    unique: int
    shared: int
    history: int | None = None
    versions: int | None = None

    @property
    def cached(self) -> int:
        """How many bytes in the cache this path needs, now and for its past."""
        return self.unique + self.shared + (self.history or 0)


@dataclass(frozen=True, slots=True)
class Sum:
    """All paths together, each object counted once."""

    workspace: int
    cached: int
    history: int | None


def usage(
    root: Path,
    tracked: Sequence[Tracked],
    chosen: Sequence[Tracked],
    *,
    git: Git,
    cache: Cache,
    history: bool = False,
) -> tuple[list[Usage], Sum]:
    """Return what each of `chosen` takes, the largest first; the others of `tracked` tell what
    is shared. What the cache lacks the listing of is not counted."""
    own = {one.path: _cached(cache, [one.root]) for one in tracked}
    holders = Counter(raw for objects in own.values() for raw in objects)
    past = _past(git) if history else {}
    rows = []
    former: Objects = {}
    for one in chosen:
        objects = own[one.path]
        unique = sum(size for raw, size in objects.items() if holders[raw] == 1)
        shared = sum(objects.values()) - unique
        only: Objects | None = None
        if history:
            found = _cached(cache, past.get(one.path, {}).values())
            only = {raw: size for raw, size in found.items() if raw not in holders}
            former |= only
        rows.append(
            Usage(
                one,
                one.size,
                _in_workspace(root, one, cache),
                unique,
                shared,
                None if only is None else sum(only.values()),
                len(past.get(one.path, {}).keys() | {one.digest}) if history else None,
            )
        )
    whole: Objects = {}
    for one in chosen:
        whole |= own[one.path]
    total = Sum(
        sum(row.workspace or 0 for row in rows),
        sum(whole.values()),
        sum(former.values()) if history else None,
    )
    return sorted(rows, key=lambda row: (-row.cached, -row.size, row.tracked.path)), total


def _cached(cache: Cache, roots: Iterable[Root]) -> Objects:
    """Return the objects below `roots` that are in the cache."""
    reached: Iterable[Reached] = closure(cache, roots).objects.values()
    objects = {part.digest.raw: part.size for part in reached}
    for raw in cache.lacking(set(objects)):
        del objects[raw]
    return objects


def _past(git: Git) -> dict[str, dict[str, Root]]:
    """Return path → digest → root for every version that git has of what is tracked."""
    found: dict[str, dict[str, Root]] = {}
    for file, data in versions(git, ["*.mlops", f"{LOCKS}/*.json"]):
        if not is_pointer(file) and not file.startswith(f"{LOCKS}/"):
            continue
        try:
            for one in parsed(data, file):
                found.setdefault(one.path, {})[one.digest] = one.root
        except IntegrityError:
            continue  # a version with conflict marks; it has no bytes of its own
    return found


def _in_workspace(root: Path, one: Tracked, cache: Cache) -> int | None:
    ignored = ignore.ignored_in(root, one.path)
    try:
        found = scan(
            fsio.inside(root, one.path, follow=False), ignored=ignored, cache_root=cache.root
        )
    except NotFound:
        return None
    return sum(facts[0] for folder in found.folders for facts in folder.stats())
