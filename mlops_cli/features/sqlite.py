"""The online store in SQLite: a file a view, a row an entity, in the project itself.

Write-ahead logging lets readers go on while a snapshot is replaced in one transaction.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli.errors import NotFound
from mlops_cli.features import online, sqlite_file
from mlops_cli.features.online import About, Found, Published, Snapshot
from mlops_cli.features.sqlite_file import State, look, translated

_READ = "SELECT a.generation, r.* FROM about a LEFT JOIN entities r ON r.entity = ? WHERE a.id = 1"


@dataclass(slots=True)
class _Open:
    """A view open for reading: which file, and the snapshot last seen in it."""

    connection: sqlite3.Connection
    inode: int
    state: State | None = None


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
        return sqlite_file.write(self.path(snapshot.view), snapshot, back=back)

    def about(self, view: str) -> About | None:
        """See `OnlineStore.about`."""
        path = self.path(view)
        with translated(path):
            opened = self._opened(view)
            if opened is None:
                return None
            opened.state = state = look(opened.connection)
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
        with translated(self.path(view)):
            state = opened.state or look(opened.connection)
            while state is not None:
                opened.state = state
                found = _answers(opened.connection, state, entities, at, ttl)
                if found is not None:
                    return found if columns is None else _chosen(found, columns, state, view)
                state = look(opened.connection)  # a snapshot was published in the meantime
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
            with translated(path):
                opened = self._open[view] = _Open(sqlite_file.connect(path), inode)
        return opened


def _answers(
    connection: sqlite3.Connection,
    state: State,
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


def _chosen(found: list[Found], columns: Sequence[str], state: State, view: str) -> list[Found]:
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
