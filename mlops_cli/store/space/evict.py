"""Evict: what was not wanted for longest goes, if a remote has a copy that was read and hashed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass

from mlops_cli.store.cache import Cache
from mlops_cli.store.pack_index import index_rows
from mlops_cli.store.space import removal, used
from mlops_cli.store.space.mark import Marked, mark

_AT_ONCE = 1000  # objects about which the remotes are asked together


@dataclass(frozen=True, slots=True)
class Eviction:
    """What goes, with its bytes, so that the cache keeps to its budget."""

    use: int  # bytes on the disk before
    budget: int
    goes: Mapping[bytes, int]
    unverified: int  # bytes that would have gone, had they a verified copy

    @property
    def enough(self) -> bool:
        """Whether the budget holds afterwards."""
        return self.use - sum(self.goes.values()) <= self.budget


def plan(
    cache: Cache,
    budget: int,
    *,
    roots: Iterable[bytes],
    stay: Set[bytes],
    verified: Callable[[Set[bytes]], Set[bytes]],
    now: int,
) -> Eviction:
    """Return what to evict: files only, for trees are small and every command asks them.

    `roots` are what people and commands name; a file was wanted when the youngest of those above
    it was. `stay` is never evicted. `verified` is asked, oldest first, which objects have a
    remote copy whose bytes were hashed there.
    """
    use = removal.disk_use(cache)
    if use <= budget:
        return Eviction(use, budget, {}, 0)
    sizes = removal.sizes(cache)
    last, trees = _last_wanted(cache, roots, now)
    stored = _stored(cache, now)
    weights = _weights(cache, sizes)
    line = sorted(
        (raw for raw in sizes if raw not in trees and raw not in stay and weights.get(raw)),
        key=lambda raw: (max(last.get(raw, 0), stored.get(raw, 0)), -weights[raw], raw),
    )
    goes: dict[bytes, int] = {}
    excess, unverified, at = use - budget, 0, 0
    while excess > 0 and at < len(line):
        # no more than is likely to go: whatever was never verified is read over there now
        some: list[bytes] = []
        weight = 0
        while at < len(line) and weight < excess and len(some) < _AT_ONCE:
            some.append(line[at])
            weight += weights[line[at]]
            at += 1
        safe = verified(set(some))
        for raw in some:
            if raw in safe:
                goes[raw] = weights[raw]
                excess -= weights[raw]
            else:
                unverified += weights[raw]
    return Eviction(use, budget, goes, unverified)


def carry_out(cache: Cache, eviction: Eviction) -> dict[bytes, int]:
    """Evict, and return what went. Whoever calls this holds `removal.alone`."""
    if not eviction.goes:
        return {}
    gone = removal.remove(cache, eviction.goes.keys(), saved=set)
    return {raw: eviction.goes[raw] for raw in gone}


def _last_wanted(
    cache: Cache, roots: Iterable[bytes], now: int
) -> tuple[dict[bytes, int], set[bytes]]:
    """Return raw digest → when it was last wanted, and all trees."""
    moments = used.times(cache.root, now=now)
    last: dict[bytes, int] = {}
    trees = set(mark(cache, roots, ()).trees)
    marked = Marked()
    # youngest first: whatever an older one reaches beside that is as old as it
    for root in sorted(moments, key=lambda raw: -moments[raw]):
        before = set(marked.reached)
        mark(cache, [root], (), marked)
        for raw in marked.reached - before:
            last[raw] = moments[root]
    return last, trees | marked.trees


def _stored(cache: Cache, now: int) -> dict[bytes, int]:
    """Return raw digest → when it was stored, which is when it was first wanted."""
    found: dict[bytes, int] = {}
    for digest in cache.objects.iterate():
        found[digest.raw] = _moment(str(cache.objects.path(digest)), now)
    for name in cache.packs.names():
        path = cache.packs.folder / f"{name}.idx"
        moment = _moment(str(path), now)
        try:
            found.update((raw, moment) for raw, _, _ in index_rows(path.read_bytes()))
        except FileNotFoundError:
            continue
    return found


def _moment(path: str, now: int) -> int:
    try:
        return min(int(os.stat(path).st_mtime), now)
    except FileNotFoundError:
        return now


def _weights(cache: Cache, sizes: Mapping[bytes, int]) -> dict[bytes, int]:
    """Return what each object would free: nothing while a workspace links to the same bytes, its
    share of the chunks where it is folded."""
    weights = dict(sizes)
    folded = [digest.raw for digest in cache.cold.iterate()]
    whole = sum(sizes.get(raw, 0) for raw in folded) or 1
    chunks = sum(path.stat().st_size for path in cache.cold.packs.folder.glob("*.pack"))
    for raw in folded:
        weights[raw] = sizes.get(raw, 0) * chunks // whole
    for digest in cache.objects.iterate():
        try:
            if os.stat(cache.objects.path(digest)).st_nlink > 1:
                weights[digest.raw] = 0
        except FileNotFoundError:
            weights[digest.raw] = 0
    return weights
