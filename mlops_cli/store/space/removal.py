"""Objects taken out of a cache, wherever in it they lie, while others go on working with it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Set
from dataclasses import replace
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError
from mlops_cli.store import condemned, lease
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.objects import listing
from mlops_cli.store.pack_index import index_rows
from mlops_cli.store.space import repack

ABANDONED_AFTER = 3600.0  # seconds; a process of another machine cannot be asked whether it lives


@contextlib.contextmanager
def alone(cache: Cache) -> Iterator[None]:
    """Be the only one that removes. Raises StateRefused ("locked")."""
    with fsio.lock(cache.root / "gc" / ".lock", what="gc of this cache"):
        yield


def remove(
    cache: Cache,
    doomed: Set[bytes],
    *,
    saved: Callable[[], Set[bytes]],
    merge: bool = False,
) -> set[bytes]:
    """Remove `doomed` and return what is gone; with `merge`, small packs become large ones.

    First what takes no space, for the disk may be full: whole objects, and packs of which nothing
    stays. Then what stays of other packs is copied into new ones, and the old ones go. Both times
    no writer is at work, and `saved` is asked what must stay after all. A crash leaves fewer to
    remove and nothing broken. Whoever calls this holds `alone`.
    Raises StateRefused ("locked"), OutsideWorld ("disk-full").
    """
    with lease.exclusive(cache.root):
        gone = doomed - saved() - condemned.spared(cache.root)
        for raw in gone:
            digest = Digest.from_raw(raw)
            path = cache.objects.path(digest)
            with fsio.translated(path):
                path.unlink(missing_ok=True)
            cache.cold.recipes.remove(digest)
        repack.retire(cache.packs, repack.dead(cache.packs, gone), frozenset())
        sweep_leftovers(cache)
    packed = repack.rewrite(cache.packs, gone, merge=merge)
    folded = repack.rewrite(cache.cold.packs, _needless_chunks(cache), merge=merge)
    if packed.old or folded.old:
        with lease.exclusive(cache.root):
            repack.retire(cache.packs, packed, saved() | condemned.spared(cache.root))
            repack.retire(cache.cold.packs, folded, frozenset())
    return replace(cache, tiers=()).lacking(set(gone))


def _needless_chunks(cache: Cache) -> set[bytes]:
    """Return the chunks of which no folded object is made; none while one cannot be told."""
    held = {digest.raw for digest in cache.cold.packs.iterate()}
    try:
        for digest in cache.cold.iterate():
            held.difference_update(chunk.raw for chunk in cache.cold.recipes.get(digest) or ())
    except IntegrityError:  # a damaged recipe, which `verify` sets aside
        return set()
    return held


def sweep_leftovers(cache: Cache) -> int:
    """Remove what killed processes left behind long ago; return how many files that were.

    A file from the future is not old.
    """
    removed = 0
    for path in _leftovers(cache.root):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > ABANDONED_AFTER:
                path.unlink()
                removed += 1
    return removed


def _leftovers(root: Path) -> Iterator[Path]:
    for base in (root, root / "cold"):
        for name in listing(base / "tmp"):
            yield base / "tmp" / name
        names = set(listing(base / "packs"))
        for name in names:
            # a pack whose index never came, or went first
            if name.endswith(".pack") and name[:-5] + ".idx" not in names:
                yield base / "packs" / name
    for folder in (root, root / "packs", root / "gc", root / "runs", root / "projects"):
        for name in listing(folder):
            if name.startswith(fsio.TEMPORARY_PREFIX):
                yield folder / name


def sizes(cache: Cache) -> dict[bytes, int]:
    """Return raw digest → bytes of all that is in the cache; folded objects by what they are."""
    found: dict[bytes, int] = {}
    for name in cache.packs.names():
        with contextlib.suppress(FileNotFoundError):
            index = (cache.packs.folder / f"{name}.idx").read_bytes()
            found.update((raw, length) for raw, _, length in index_rows(index))
    for digest in cache.cold.iterate():
        found[digest.raw] = cache.cold.size(digest) or 0
    for digest in cache.objects.iterate():
        found[digest.raw] = cache.objects.size(digest) or 0
    return found


def disk_use(cache: Cache) -> int:
    """Return how many bytes the objects of the cache take on the disk."""
    total = 0
    for folder in (cache.packs.folder, cache.cold.packs.folder):
        total += sum(_length(folder / name) for name in listing(folder) if name[0] != ".")
    for first in listing(cache.root / "objects"):
        folder = cache.root / "objects" / first
        total += sum(_length(folder / name) for name in listing(folder))
    return total


def _length(path: Path) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0
