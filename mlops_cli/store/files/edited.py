"""An edit through a link into the cache is an edit of the cache: it is found, undone and kept.

Objects are read-only, but whoever makes one writable, and every program of root, can write into
it. An edit is found by a stat and not by reading: then the object is set aside, and the edit
stays as the user's own file.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.store import hashing
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.linked import FACTS, database, is_link, look, of


def settle(file: Path, cache: Cache, below: Path | None = None) -> list[str]:
    """Look at all linked objects, or those linked from `below`; return the paths edited.

    An object that was written to is set aside, and each path that led to it becomes a file of its
    own with what was written. An object whose facts changed and whose bytes did not stays.
    """
    edited: list[str] = []
    if not file.exists():
        return edited
    with contextlib.suppress(sqlite3.OperationalError), database(file) as table:
        for raw, facts in of(table, below):
            digest = Digest.from_raw(raw)
            now = look(cache.objects.path(digest))
            if now == facts:
                continue
            if now and (_renamed(facts, now) or _right(cache, digest)):
                table.execute("UPDATE linked SET facts = ? WHERE digest = ?", (now, raw))
                continue
            names = table.execute("SELECT path FROM linked WHERE digest = ?", (raw,))
            paths = [path for (path,) in names if is_link(cache, path, digest)]
            if now and not cache.set_aside(digest):
                continue  # this cache may only be read
            if not now and not _written(facts, look(cache.objects.aside(digest))):
                paths = []  # collected, or spoiled by the disk
            for path in paths:
                _take_out(cache, path, digest)
            table.execute("DELETE FROM linked WHERE digest = ?", (raw,))
            edited += paths
    return edited


def _take_out(cache: Cache, path: str, digest: Digest) -> None:
    """Let `path` keep what was written into the object, which was set aside."""
    place, aside = Path(path), cache.objects.aside(digest)
    if not place.is_symlink():
        return  # the object was another name of it
    temporary = fsio.temporary_beside(place)
    try:
        with fsio.translated(place):
            with aside.open("rb") as source, temporary.open("xb") as target:
                cache.objects.clone(source.fileno(), target.fileno())
            temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)


def _right(cache: Cache, digest: Digest) -> bool:
    try:
        return hashing.hash_file(cache.objects.path(digest))[0] == digest
    except FileNotFoundError:
        return True  # gone meanwhile


def _written(former: bytes, aside: bytes | None) -> bool:
    """Tell whether what was set aside had been written to since it was linked; a rename leaves
    size and time as they are."""
    return aside is not None and FACTS.unpack(former)[:2] != FACTS.unpack(aside)[:2]


def _renamed(former: bytes, now: bytes) -> bool:
    """Tell whether nothing but the number of names changed, which explains the ctime."""
    was, is_ = FACTS.unpack(former), FACTS.unpack(now)
    return was[5] != is_[5] and (*was[:2], *was[3:5]) == (*is_[:2], *is_[3:5])
