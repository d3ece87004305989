"""One snapshot in its SQLite file: how it is written, found again, and what can go wrong.

SQLite's own record is the packing: values stand side by side in one row, with their types, under
the key of the entity. docs/formats/online-store.md has the bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.encode import canonical_json
from mlops_cli.errors import IntegrityError, OutsideWorld, StateRefused
from mlops_cli.features import online
from mlops_cli.features.online import About, Layout, Published, Snapshot

FORMAT = 1  # PRAGMA user_version
PATIENCE = 30.0  # seconds that a writer waits for another one


@dataclass(frozen=True, slots=True)
class State:
    """A snapshot by its number; `truths` are the places of truth values, which are kept as 0, 1."""

    generation: int
    about: About
    truths: tuple[int, ...]


def connect(path: Path) -> sqlite3.Connection:
    """Open the file; statements commit one by one unless a transaction is begun."""
    # one statement an answer and a cursor each, so threads of a server may share it
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)


def write(path: Path, snapshot: Snapshot, *, back: bool) -> Published:
    """Replace what the file held in one transaction; rows that did not change are not written.

    Raises StateRefused ("watermark-ahead").
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with translated(path), contextlib.closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        former = look(connection)
        if former is not None and former.about.as_of > snapshot.as_of and not back:
            raise _ahead(snapshot.view)
        if former is None or not former.about.layout.same(snapshot.layout):
            _create(connection, len(snapshot.layout.columns))
        written, removed = _replace(connection, snapshot)
        (count,) = connection.execute("SELECT count(*) FROM entities").fetchone()
        connection.execute(
            "INSERT OR REPLACE INTO about VALUES (1, ?, ?)",
            (int.from_bytes(os.urandom(7), "big"), _document(snapshot, count)),
        )
        connection.execute("COMMIT")
    return Published(count, written, removed)


def look(connection: sqlite3.Connection) -> State | None:
    """Return the snapshot that the file holds; a file of another format holds none."""
    if connection.execute("PRAGMA user_version").fetchone() != (FORMAT,):
        return None
    row = connection.execute("SELECT generation, document FROM about WHERE id = 1").fetchone()
    if row is None:
        return None
    said = json.loads(row[1])
    layout = Layout(dict(said["entity"]), dict(said["columns"]))
    about = About(layout, said["as_of"], said["source"], tuple(said["blank"]), said["entities"])
    kinds = enumerate(layout.columns.values())
    return State(row[0], about, tuple(place for place, kind in kinds if kind == "bool"))


def _create(connection: sqlite3.Connection, columns: int) -> None:
    values = "".join(f", v{place}" for place in range(columns))
    connection.execute("DROP TABLE IF EXISTS entities")
    connection.execute("DROP TABLE IF EXISTS about")
    connection.execute(
        f"CREATE TABLE entities (entity TEXT PRIMARY KEY, time INTEGER{values}) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE about (id INTEGER PRIMARY KEY, generation INTEGER, document TEXT)"
    )
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def _replace(connection: sqlite3.Connection, snapshot: Snapshot) -> tuple[int, int]:
    """Make the table hold exactly the rows of `snapshot`; return how many were written, removed."""
    names = ["entity", "time", *(f"v{place}" for place in range(len(snapshot.layout.columns)))]
    connection.execute(f"CREATE TEMP TABLE fresh ({', '.join(names)}, PRIMARY KEY (entity))")
    connection.executemany(
        f"INSERT INTO fresh VALUES ({', '.join('?' * len(names))})",
        ((online.key(entity), time, *values) for entity, time, values in snapshot.rows),
    )
    differs = " OR ".join(f"r.{name} IS NOT f.{name}" for name in names)
    written = connection.execute(
        "INSERT OR REPLACE INTO entities SELECT f.* FROM fresh f"
        f" LEFT JOIN entities r ON r.entity = f.entity WHERE {differs}"
    ).rowcount
    removed = connection.execute(
        "DELETE FROM entities WHERE entity NOT IN (SELECT entity FROM fresh)"
    ).rowcount
    return written, removed


def _document(snapshot: Snapshot, entities: int) -> str:
    """Return the facts of a snapshot; pairs, because the order of columns matters."""
    said = {
        "view": snapshot.view,
        "entity": list(snapshot.layout.entity.items()),
        "columns": list(snapshot.layout.columns.items()),
        "as_of": snapshot.as_of,
        "source": snapshot.source,
        "blank": list(snapshot.blank),
        "entities": entities,
    }
    return canonical_json(said).decode()


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ones that a person can act on."""
    try:
        yield
    except sqlite3.Error as exc:
        name = getattr(exc, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise IntegrityError(
                f"{path} is damaged: {exc}",
                code="damaged-online-store",
                hint=f"rm {path} && mlops feature materialize {path.stem}",
            ) from exc
        full = name.startswith("SQLITE_FULL")
        raise OutsideWorld(
            f"the online store cannot use {path}: {exc}",
            code="disk-full" if full else "online-store-busy",
            hint="free some space and run it again; the former values stand"
            if full
            else "run it again; the former values stand",
        ) from exc


def _ahead(view: str) -> StateRefused:
    return StateRefused(
        f"the online store holds features.{view} as of a later time",
        code="watermark-ahead",
        hint=f"mlops feature materialize {view} --back",
        details={"view": view},
    )
