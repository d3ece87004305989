"""The SQLite file under the index: made, and thrown away when it cannot be used."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli.errors import OutsideWorld

MEMORY = ":memory:"
VERSION = 2
SCHEMA = """
create table refs (ref text primary key, tip text not null, tree text not null);
create table records (
  id integer primary key, digest text not null unique, kind text not null, time text not null,
  run text, step text, status text, model text, number integer);
create index records_kind on records (kind, time);
create index records_run on records (run);
create index records_step on records (step, time);
create index records_version on records (model, number);
create table bodies (id integer primary key, body text not null);
create table fields (id integer primary key, name text not null unique);
create table facts (
  field integer, record integer, value, primary key (field, record)) without rowid;
create table edges (record text, source text, target text, relation text, name text);
create index edges_source on edges (source);
create index edges_target on edges (target);
create index edges_name on edges (name);
create table damaged (digest text primary key, why text not null);
"""


class OtherVersion(Exception):
    """The file is an index of another version of this program."""


@dataclass(frozen=True, slots=True)
class Database:
    """An open file, or one in memory. What it holds is asked here: of a damaged one that is an
    OutsideWorld ("index-damaged")."""

    path: Path
    connection: sqlite3.Connection

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def rows(self, question: str, *values: Any) -> list[Any]:
        """Return all rows that answer `question`."""
        with self._damage():
            return self.connection.execute(question, values).fetchall()

    def some(self, question: str, *values: Any) -> Iterator[Any]:
        """Yield the rows that answer `question`, of which the caller may not want all."""
        with self._damage():
            found = self.connection.execute(question, values)
            while part := found.fetchmany(50):
                yield from part

    @contextlib.contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as exc:
            raise OutsideWorld(
                f"the index {self.path} cannot be read: {exc}",
                code="index-damaged",
                hint=f"rm {self.path}; it is rebuilt from the ledger",
            ) from exc


def candidates(path: Path) -> Iterator[Database]:
    """Yield databases until the caller is content: the file, the file made anew, memory."""
    if str(path) == MEMORY:
        yield memory()
        return
    with contextlib.suppress(sqlite3.Error, OSError, OtherVersion):
        path.parent.mkdir(parents=True, exist_ok=True)
        yield Database(path, _connect(str(path)))
    with contextlib.suppress(sqlite3.Error, OSError, OtherVersion):
        for end in ("", "-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        yield Database(path, _connect(str(path)))
    yield memory()


def memory() -> Database:
    """Return an empty database that goes with this process."""
    return Database(Path(MEMORY), _connect(MEMORY))


def _connect(name: str) -> sqlite3.Connection:
    """Return a connection whose tables exist. Raises sqlite3.Error, OtherVersion."""
    connection = sqlite3.connect(name, timeout=30, isolation_level=None)
    try:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
        if connection.execute("pragma user_version").fetchone()[0] != VERSION:
            _make(connection)
        return connection
    except BaseException:
        connection.close()
        raise


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("begin immediate")
    version = connection.execute("pragma user_version").fetchone()[0]
    if version not in (0, VERSION):
        raise OtherVersion
    if version == 0:
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"pragma user_version = {VERSION}")
    connection.execute("commit")
