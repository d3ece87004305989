"""What a file's bytes were when it last looked like this: a cache, and nothing is lost with it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlops_cli.store.digest import RAW_LENGTH, Digest

FACTS = struct.Struct("<5q")  # size, mtime_ns, ctime_ns, inode, mode: any change is a change
UNKNOWN = bytes(RAW_LENGTH)  # stands for a digest that is not known, or not to be trusted
TICK = 20_000_000  # ns: kernels stamp files by a clock that moves every 1 to 10 ms
COARSE_TICK = 2_000_000_000  # ns: some disks keep whole seconds, or two of them
_SECOND = 1_000_000_000

_VERSION = 1
_TABLE = """CREATE TABLE IF NOT EXISTS folders(
  path TEXT PRIMARY KEY, names BLOB NOT NULL, facts BLOB NOT NULL, digests BLOB NOT NULL,
  tree BLOB NOT NULL, size INTEGER NOT NULL)"""


@dataclass(frozen=True, slots=True)
class Known:
    """One folder as it was: the names in it sorted and NUL-separated, FACTS and digest of each.

    `tree` is the digest of its listing when it has no folders in it and all digests are known,
    else empty; `size` is the sum below it then.
    """

    names: bytes
    facts: bytes
    digests: bytes
    tree: bytes = b""
    size: int = 0

    def by_name(self) -> dict[bytes, tuple[bytes, bytes]]:
        """Return (facts, digest) by encoded name."""
        step = FACTS.size
        return {
            name: (
                self.facts[at * step : (at + 1) * step],
                self.digests[at * RAW_LENGTH : (at + 1) * RAW_LENGTH],
            )
            for at, name in enumerate(self.names.split(b"\0"))
            if name
        }


@dataclass(slots=True)
class StatCache:
    """`stat.sqlite`: one row a folder. Opened when first asked; damaged or gone, it starts anew."""

    path: Path
    _connection: sqlite3.Connection | None = field(default=None, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def load(self, root: str, *, below: bool = True) -> dict[str, Known]:
        """Return what is known of the folder `root` (absolute) and all below it, by one query."""
        prefix = root.rstrip("/") + "/" if below else "0"
        rows: list[tuple[str, bytes, bytes, bytes, bytes, int]] = []
        with self._database() as database:
            if database is not None:
                rows = database.execute(
                    "SELECT path, names, facts, digests, tree, size FROM folders"
                    " WHERE path = ? OR (path >= ? AND path < ?)",
                    (root, prefix, prefix[:-1] + "0"),  # "0" follows "/"
                ).fetchall()
        return {path: Known(*rest) for path, *rest in rows if _sound(*rest[:3])}  # type: ignore[arg-type]

    def lookup(self, path: Path, found: os.stat_result) -> Digest | None:
        """Return the digest of the file at `path` if it still looks as it did; one query a call."""
        with self._database() as database:
            row = (
                database
                and database.execute(
                    "SELECT names, facts, digests FROM folders WHERE path = ?", (str(path.parent),)
                ).fetchone()
            )
        if not row or not _sound(*row):
            return None
        facts, digest = Known(*row).by_name().get(os.fsencode(path.name), (b"", UNKNOWN))
        return Digest.from_raw(digest) if digest != UNKNOWN and facts == pack(found) else None

    def remember(self, path: Path, found: os.stat_result, digest: Digest, *, stamp: int) -> None:
        """Keep the digest of one file, seen as `found` before its bytes were read at `stamp`."""
        if is_racy(found.st_mtime_ns, found.st_ctime_ns, stamp):
            return
        name = os.fsencode(path.name)
        self.merge({str(path.parent): Known(name, pack(found), digest.raw)})

    def replace(self, folders: Iterable[tuple[str, Known]]) -> None:
        """Keep these folders, each instead of what was known of it."""
        with self._database(write=True) as database:
            if database is not None:
                database.executemany(
                    "INSERT OR REPLACE INTO folders VALUES (?, ?, ?, ?, ?, ?)",
                    ((p, k.names, k.facts, k.digests, k.tree, k.size) for p, k in folders),
                )

    def merge(self, folders: dict[str, Known]) -> None:
        """Keep these files beside what is known of the other files of their folders."""
        merged = []
        for path, known in folders.items():
            with self._database() as database:
                row = (
                    database
                    and database.execute(
                        "SELECT names, facts, digests FROM folders WHERE path = ?", (path,)
                    ).fetchone()
                )
            both = Known(*row).by_name() if row and _sound(*row) else {}
            both.update(known.by_name())
            names = sorted(both)
            merged.append(
                (
                    path,
                    Known(
                        b"\0".join(names),
                        b"".join(both[name][0] for name in names),
                        b"".join(both[name][1] for name in names),
                    ),
                )
            )
        self.replace(merged)

    def clock(self) -> int:
        """Return the time by the clock of the disk, in ns; a server's may differ from ours."""
        beside = self.path.with_name(self.path.name + ".clock")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                os.utime(handle)
                return os.fstat(handle).st_mtime_ns
            finally:
                os.close(handle)
        return 0  # everything is racy then, and nothing is remembered

    def close(self) -> None:
        """Close the file; a later question opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _database(self, *, write: bool = False) -> Iterator[sqlite3.Connection | None]:
        """Offer the open database, or None when there is none to be had: a cache may be absent."""
        with self._lock:
            try:
                connection = self._connection or self._open()
            except (sqlite3.Error, OSError):
                yield None
                return
            try:
                with connection if write else contextlib.nullcontext():
                    yield connection
            except sqlite3.OperationalError:
                return  # locked or read-only: nothing is remembered this time
            except sqlite3.ProgrammingError:
                raise
            except sqlite3.DatabaseError:
                self._discard()

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in (1, 2):
            connection = sqlite3.connect(self.path, timeout=5, check_same_thread=False)
            try:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version != _VERSION:
                    connection.execute("PRAGMA journal_mode=WAL")
                    connection.execute("DROP TABLE IF EXISTS folders")
                    connection.execute(_TABLE)
                    connection.execute(f"PRAGMA user_version={_VERSION}")
                    connection.commit()
                connection.execute("PRAGMA synchronous=NORMAL")
                self._connection = connection
                return connection
            except sqlite3.OperationalError:
                connection.close()
                raise
            except sqlite3.DatabaseError:
                connection.close()
                self._discard()
                if attempt == 2:
                    raise
        raise AssertionError

    def _discard(self) -> None:
        self.close()
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.unlink(f"{self.path}{suffix}")


def pack(found: os.stat_result) -> bytes:
    """Return FACTS of a file."""
    inode = found.st_ino
    return FACTS.pack(
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        inode if inode < 1 << 63 else inode - (1 << 64),
        found.st_mode,
    )


def is_racy(mtime_ns: int, ctime_ns: int, stamp: int) -> bool:
    """Return whether a file read at `stamp` could change afterwards and look the same.

    Git's rule: what changed within the clock's last tick before it was looked at may change once
    more within that tick. Such a file is not trusted until it is looked at again later.
    """
    tick = TICK if ctime_ns % _SECOND else COARSE_TICK
    # a modification time in the future was set by hand, and a change would take it away
    return ctime_ns > stamp - tick or stamp - tick < mtime_ns <= stamp + tick


def settled(known: Known, stamp: int) -> Known:
    """Return `known` without the digests of files so young at `stamp` that they are racy."""
    sure = stamp - TICK
    young = [
        at
        for at, (_, mtime, ctime, _, _) in enumerate(FACTS.iter_unpack(known.facts))
        # the first half says no to most without a call
        if (ctime > sure or mtime > sure or ctime % _SECOND == 0) and is_racy(mtime, ctime, stamp)
    ]
    if not young:
        return known
    digests = bytearray(known.digests)
    for at in young:
        digests[at * RAW_LENGTH : (at + 1) * RAW_LENGTH] = UNKNOWN
    return Known(known.names, known.facts, bytes(digests), b"", known.size)


def encoded(names: list[str]) -> bytes:
    """Return names as `Known` keeps them."""
    return "\0".join(names).encode()


def _sound(names: bytes, facts: bytes, digests: bytes) -> bool:
    count = names.count(b"\0") + 1 if names else 0
    return len(facts) == count * FACTS.size and len(digests) == count * RAW_LENGTH
