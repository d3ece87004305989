"""Other names of objects: which file of another tool's cache holds the bytes of a digest.

A file is hashed once and known afterwards by its size and time. What is attached is served from
where it lies, so nothing is copied; whoever reads it hashes it as everything else.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mlops_cli.errors import OutsideWorld
from mlops_cli.store.digest import Digest

FILE = "alias.sqlite"

_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS aliases(
  folder TEXT NOT NULL, name TEXT NOT NULL, digest BLOB NOT NULL, size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL, attached INTEGER NOT NULL, PRIMARY KEY (folder, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_digest ON aliases(digest);
"""


@dataclass(frozen=True, slots=True)
class Alias:
    """One file that was hashed: `folder` is a cache (or a URL), `name` is the file below it.

    `attached` says that the file may be served; else only its digest is remembered.
    """

    folder: str
    name: str
    digest: Digest
    size: int
    mtime_ns: int = 0
    attached: bool = False


@dataclass(slots=True)
class AliasIndex:
    """The file `alias.sqlite` of a cache. With it gone, files are hashed again or missing."""

    path: Path
    _connection: sqlite3.Connection | None = field(default=None, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def known(self, folder: str, name: str, found: os.stat_result | None = None) -> Alias | None:
        """Return what is remembered of a file, if it still looks as it did."""
        rows = self._ask("SELECT * FROM aliases WHERE folder = ? AND name = ?", (folder, name))
        for one in map(_alias, rows):
            if found is None or (one.size, one.mtime_ns) == (found.st_size, found.st_mtime_ns):
                return one
        return None

    def names(self, digest: Digest) -> list[Alias]:
        """Return all files that held these bytes."""
        rows = self._ask("SELECT * FROM aliases WHERE digest = ?", (digest.raw,))
        return [_alias(row) for row in rows]

    def remember(self, aliases: Iterable[Alias]) -> None:
        """Keep these, each instead of what was known of the file; all of them or none.

        Raises OutsideWorld ("cannot-write").
        """
        with self._writing() as database:
            database.executemany(
                "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (a.folder, a.name, a.digest.raw, a.size, a.mtime_ns, int(a.attached))
                    for a in aliases
                ),
            )

    def close(self) -> None:
        """Close the file; a later question opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock, self._open() as database:
                yield database
        except sqlite3.OperationalError as exc:
            raise OutsideWorld(
                f"cannot write {self.path}: {exc}",
                code="cannot-write",
                hint="check the permissions of the folder and run the same command again",
            ) from exc

    def _ask(self, question: str, words: tuple[object, ...]) -> list[tuple[object, ...]]:
        with self._lock:
            if self._connection is None and not self.path.exists():
                return []
            try:
                return self._open().execute(question, words).fetchall()
            except sqlite3.OperationalError:
                return []  # locked, or in a cache that this user cannot write to

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=30, check_same_thread=False)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != _VERSION:
                connection.execute("PRAGMA journal_mode=WAL")
                if version:
                    connection.execute("DROP TABLE IF EXISTS aliases")
                connection.executescript(_TABLES + f"PRAGMA user_version={_VERSION};")
            connection.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.OperationalError:
            connection.close()
            raise
        except sqlite3.DatabaseError:  # damaged: what it knew can be hashed again
            connection.close()
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(OSError):
                    os.unlink(f"{self.path}{suffix}")
            return self._open()
        self._connection = connection
        return connection


@dataclass(frozen=True, slots=True)
class Attached:
    """The attached files as a tier of a cache: read, never written, never trusted."""

    index: AliasIndex

    def size(self, digest: Digest) -> int | None:
        """Return how many bytes the object has, None when no attached file holds it."""
        path = self.path(digest)
        return None if path is None else path.stat().st_size

    def open(self, digest: Digest) -> BinaryIO | None:
        """Return a stream over the bytes, None when no attached file holds them."""
        path = self.path(digest)
        return None if path is None else path.open("rb")

    def path(self, digest: Digest) -> Path | None:
        """Return the file that holds the object and looks as it did when it was hashed."""
        for one in self.index.names(digest):
            if one.attached:
                path = Path(one.folder, one.name)
                with contextlib.suppress(OSError):
                    found = path.stat()
                    if (found.st_size, found.st_mtime_ns) == (one.size, one.mtime_ns):
                        return path
        return None


def open_aliases(cache_root: Path) -> AliasIndex:
    """Return the index of the cache under `cache_root`; it is made when something is kept."""
    return AliasIndex(cache_root / FILE)


def attached(cache_root: Path) -> tuple[Attached, ...]:
    """Return the tier of what is attached to the cache under `cache_root`, if anything may be."""
    index = open_aliases(cache_root)
    return (Attached(index),) if index.path.exists() else ()


def _alias(row: tuple[object, ...]) -> Alias:
    folder, name, raw, size, mtime_ns, attached = row
    assert isinstance(raw, bytes) and isinstance(size, int) and isinstance(mtime_ns, int)
    return Alias(str(folder), str(name), Digest.from_raw(raw), size, mtime_ns, bool(attached))
