"""Which files of the workspace are links to objects, and what these objects looked like then.

It is only a memory: where it is lost, or may not be written, every read hashes all the same.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.statcache import StatCache

FILE = "linked.sqlite"

FACTS = struct.Struct("<6q")  # size, mtime_ns, ctime_ns, inode, mode, names
_TABLE = """CREATE TABLE IF NOT EXISTS linked(
  path TEXT PRIMARY KEY, digest BLOB NOT NULL, facts BLOB NOT NULL) WITHOUT ROWID"""


@dataclass(frozen=True, slots=True)
class Link:
    """A file of the workspace (absolute) that is one with an object: a hard link or a symlink."""

    path: str
    digest: Digest


def beside(stats: StatCache) -> Path:
    """Return the file that knows the links of a work tree: it lies beside its stat cache."""
    return stats.path.with_name(FILE)


def remember(file: Path, cache: Cache, links: Iterable[Link]) -> None:
    """Keep that `links` were made just now, from objects that were found right."""
    rows = []
    for link in links:
        with contextlib.suppress(FileNotFoundError):
            facts = _facts(os.stat(cache.objects.path(link.digest)))
            rows.append((link.path, link.digest.raw, facts))
    if not rows:
        return
    with fsio.translated(file):
        fsio.make_folder(file.parent)
    with contextlib.suppress(sqlite3.OperationalError), database(file) as table:
        table.executemany("INSERT OR REPLACE INTO linked VALUES (?, ?, ?)", rows)
        # another name changes what is known of the object under its other names
        table.executemany(
            "UPDATE linked SET facts = ? WHERE digest = ?", [(row[2], row[1]) for row in rows]
        )


def links(file: Path, cache: Cache, below: Path) -> list[Link]:
    """Return what at or below `below` is still a link to an object, as far as is remembered."""
    found: list[Link] = []
    if not file.exists():
        return found
    with contextlib.suppress(sqlite3.OperationalError), database(file) as table:
        where, words = _where(below)
        rows = table.execute(f"SELECT path, digest FROM linked {where} ORDER BY path", words)
        found += [Link(path, Digest.from_raw(raw)) for path, raw in rows]
    return [link for link in found if is_link(cache, link.path, link.digest)]


def unlink(file: Path, cache: Cache, link: Link) -> None:
    """Put a private, writable copy in the place of `link`.

    Raises as `Cache.read` does, OutsideWorld ("disk-full", "cannot-write").
    """
    place = Path(link.path)
    with fsio.translated(place):
        temporary = fsio.temporary_beside(place)
    try:
        cache.copy_to(link.digest, temporary)
        with fsio.translated(place):
            os.replace(temporary, place)
    finally:
        temporary.unlink(missing_ok=True)
    with contextlib.suppress(sqlite3.OperationalError), database(file) as table:
        table.execute("DELETE FROM linked WHERE path = ?", (link.path,))


def is_link(cache: Cache, path: str, digest: Digest) -> bool:
    """Tell whether `path` and the object are one file, or were before the object went."""
    place = cache.objects.path(digest)
    try:
        return os.path.samefile(path, place)
    except OSError:
        return os.path.islink(path) and os.readlink(path) == os.path.realpath(place)


def look(path: Path) -> bytes | None:
    """Return FACTS of an object, None where it is not here."""
    try:
        return _facts(path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return None


def _facts(found: os.stat_result) -> bytes:
    inode = found.st_ino if found.st_ino < 1 << 63 else found.st_ino - (1 << 64)
    return FACTS.pack(
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        inode,
        found.st_mode,
        found.st_nlink,
    )


def of(table: sqlite3.Connection, below: Path | None) -> list[tuple[bytes, bytes]]:
    """Return raw digest and facts of each object that is linked from `below`, or from anywhere."""
    where, words = _where(below)
    return table.execute(f"SELECT DISTINCT digest, facts FROM linked {where}", words).fetchall()


def _where(below: Path | None) -> tuple[str, tuple[str, ...]]:
    if below is None:
        return "", ()
    path = os.path.abspath(below)
    # "0" follows "/"
    return "WHERE path = ? OR (path >= ? AND path < ?)", (path, f"{path}/", f"{path}0")


@contextlib.contextmanager
def database(file: Path) -> Iterator[sqlite3.Connection]:
    """Offer the table. Raises sqlite3.OperationalError where it is locked or may not be written."""
    connection = _open(file)
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def _open(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=5)
    try:
        connection.execute(_TABLE)
    except sqlite3.OperationalError:
        connection.close()
        raise
    except sqlite3.DatabaseError:
        connection.close()
        file.unlink(missing_ok=True)
        connection = sqlite3.connect(file, timeout=5)
        connection.execute(_TABLE)
    return connection
