"""The online store in SQLite: a file a view, a row an entity, in the project itself.

SQLite's own record is the packing: values stand side by side in one row, with their types, under
the key of the entity. Write-ahead logging lets readers go on while a snapshot is replaced in one
transaction; docs/formats/online-store.md has the bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli.encode import canonical_json
from mlops_cli.errors import IntegrityError, NotFound, OutsideWorld, StateRefused
from mlops_cli.features import online
from mlops_cli.features.online import About, Found, Layout, Published, Snapshot

FORMAT = 1  # PRAGMA user_version
PATIENCE = 30.0  # seconds that a writer waits for another one
_READ = "SELECT a.generation, r.* FROM about a LEFT JOIN entities r ON r.entity = ? WHERE a.id = 1"


@dataclass(frozen=True, slots=True)
class _State:
    """A snapshot by its number; `truths` are the places of truth values, which are kept as 0, 1."""

    generation: int
    about: About
    truths: tuple[int, ...]


@dataclass(slots=True)
class _Open:
    """A view open for reading: which file, and the snapshot last seen in it."""

    connection: sqlite3.Connection
    inode: int
    state: _State | None = None


@dataclass(slots=True)
class SqliteStore:
    """The store of the project at `root`, under `.mlops/online`."""

    root: Path
    _open: dict[str, _Open] = field(default_factory=dict)

    def path(self, view: str) -> Path:
        """Return the file of `view`."""
        return self.root / ".mlops" / "online" / f"{view}.sqlite"

    def publish(self, snapshot: Snapshot, *, back: bool = False) -> Published:
        """See `OnlineStore.publish`; rows that did not change are not written."""
        path = self.path(snapshot.view)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _translated(path), contextlib.closing(_connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            former = _look(connection)
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

    def about(self, view: str) -> About | None:
        """See `OnlineStore.about`."""
        path = self.path(view)
        with _translated(path):
            opened = self._opened(view)
            if opened is None:
                return None
            opened.state = state = _look(opened.connection)
        return state.about if state is not None else None

    def read(
        self,
        view: str,
        entities: Sequence[Sequence[Any]],
        *,
        at: Sequence[int],
        ttl: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> list[Found]:
        """See `OnlineStore.read`."""
        opened = self._opened(view)
        if opened is None:
            raise online.not_materialized(view)
        with _translated(self.path(view)):
            state = opened.state or _look(opened.connection)
            while state is not None:
                opened.state = state
                found = _answers(opened.connection, state, entities, at, ttl)
                if found is not None:
                    return found if columns is None else _chosen(found, columns, state, view)
                state = _look(opened.connection)  # a snapshot was published in the meantime
        raise online.not_materialized(view)

    def views(self) -> list[str]:
        """See `OnlineStore.views`."""
        files = (self.root / ".mlops" / "online").glob("*.sqlite")
        return sorted(path.stem for path in files if self.about(path.stem) is not None)

    def drop(self, view: str) -> bool:
        """See `OnlineStore.drop`."""
        held = self.about(view) is not None
        if (opened := self._open.pop(view, None)) is not None:
            opened.connection.close()
        path = self.path(view)
        for name in (path, *(path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))):
            name.unlink(missing_ok=True)
        return held

    def close(self) -> None:
        """See `OnlineStore.close`."""
        while self._open:
            self._open.popitem()[1].connection.close()

    def _opened(self, view: str) -> _Open | None:
        """Return the view open for reading; opened again where its file was replaced."""
        path = self.path(view)
        opened = self._open.get(view)
        try:
            inode = os.stat(path).st_ino  # noqa: PTH116 - on the path of every prediction
        except FileNotFoundError:
            inode = None
        if opened is not None and opened.inode != inode:
            del self._open[view]
            opened.connection.close()
            opened = None
        if opened is None and inode is not None:
            with _translated(path):
                opened = self._open[view] = _Open(_connect(path), inode)
        return opened


def _connect(path: Path) -> sqlite3.Connection:
    # one statement an answer and a cursor each, so threads of a server may share it
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)


def _answers(
    connection: sqlite3.Connection,
    state: _State,
    entities: Sequence[Sequence[Any]],
    at: Sequence[int],
    ttl: int | None,
) -> list[Found] | None:
    """Return the answers, None as soon as one comes from another snapshot than `state`."""
    execute, generation, about, truths = (
        connection.execute,
        state.generation,
        state.about,
        state.truths,
    )
    found = []
    for entity, moment in zip(entities, at, strict=True):
        if None in entity:
            found.append(Found((None,) * len(about.blank), "unknown"))
            continue
        row = execute(_READ, (online.key(entity),)).fetchone()
        if row is None or row[0] != generation:
            return None
        if row[1] is None:
            found.append(Found(about.blank, "unknown"))
            continue
        values = row[3:]
        if truths:
            changed = list(values)
            for place in truths:
                changed[place] = None if values[place] is None else bool(values[place])
            values = tuple(changed)
        known = about.as_of if row[2] is None else row[2]
        found.append(online.judged(values, known, moment, ttl))
    return found


def _chosen(found: list[Found], columns: Sequence[str], state: _State, view: str) -> list[Found]:
    held = state.about.layout.columns
    if missing := [name for name in columns if name not in held]:
        raise NotFound(
            f"the online store holds no column {missing[0]!r} of features.{view}",
            code="column-missing",
            hint=f"mlops feature materialize {view}, then mlops deploy apply",
            details={"view": view, "column": missing[0]},
        )
    order = list(held)
    if order == list(columns):
        return found
    places = [order.index(name) for name in columns]
    return [Found(tuple(values[at] for at in places), why) for values, why in found]


def _look(connection: sqlite3.Connection) -> _State | None:
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
    return _State(row[0], about, tuple(place for place, kind in kinds if kind == "bool"))


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
def _translated(path: Path) -> Iterator[None]:
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
