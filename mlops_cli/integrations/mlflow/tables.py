"""The tables of an `mlflow.db`: what stands in SQLite, read-only, as of one moment.

SQLite lets any value stand in any column: what comes out is a text, a whole number for a time, or
nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlops_cli.errors import IntegrityError, MlopsError, OutsideWorld
from mlops_cli.integrations.mlflow import revisions
from mlops_cli.integrations.mlflow.values import plain, whole

_INTS = ("start", "end", "created", "updated", "number")
PATIENCE = 5.0  # seconds that a writer is waited for
_NEEDED = ("experiments", "runs", "params", "tags", "metrics", "registered_models",
           "model_versions")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tables:
    """An open database of a known revision, and the columns of its tables."""

    path: Path
    connection: sqlite3.Connection
    columns: dict[str, frozenset[str]]

    def rows(
        self,
        table: str,
        key: str,
        wanted: str,
        *,
        order: str = "rowid",
        where: dict[str, Any] | None = None,
    ) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yield the rows of the default workspace: the value of `key`, and name → value of the
        columns `wanted` ("column:name column …"), None where the table has no such column."""
        there = self.columns.get(table, frozenset())
        conditions = dict(where or {})
        if "workspace" in there:
            conditions["workspace"] = "default"
        split = (word.partition(":") for word in wanted.split())
        pairs = [(column, name or column) for column, _, name in split]
        columns = ", ".join([key, *(column if column in there else "null" for column, _ in pairs)])
        test = " and ".join(f"{name} = ?" for name in conditions) or "1"
        for id_, *values in self.all(
            f"select {columns} from {table} where {test} order by {order}, {key}",
            *conditions.values(),
        ):
            named = zip((name for _, name in pairs), values, strict=True)
            yield (
                id_,
                {name: whole(one) if name in _INTS else plain(one) for name, one in named},
            )

    def pairs(
        self, table: str, key: str = "", value: str = "value", **equal: Any
    ) -> dict[str, str]:
        """Return name → text of the rows in which the columns are as `equal` says."""
        there = self.columns.get(table)
        if there is None:
            return {}
        key = key or ("key" if "key" in there else "name")
        if "workspace" in there:
            equal["workspace"] = "default"
        test = " and ".join(f"{name} = ?" for name in equal)
        rows = self.all(f"select {key}, {value} from {table} where {test}", *equal.values())
        return {str(plain(name)): plain(text) or "" for name, text in rows}

    def all(self, question: str, *values: Any) -> list[Any]:
        """Return all rows. Raises IntegrityError ("damaged-mlflow-db")."""
        try:
            return self.connection.execute(question, values).fetchall()
        except sqlite3.DatabaseError as exc:
            raise _unread(self.path, exc) from exc


def open_tables(path: Path) -> Tables:
    """Return the tables of the database at `path`, checked to be one whose shape is known.

    Raises ConfigError ("unknown-mlflow-version"), IntegrityError ("damaged-mlflow-db"),
    OutsideWorld ("mlflow-db-busy").
    """
    try:
        place = f"file:{quote(str(path.absolute()))}?mode=ro"
        connection = sqlite3.connect(place, timeout=PATIENCE, uri=True)
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        connection.execute("pragma trusted_schema = off")  # its views may not call functions
        connection.execute("begin")
        tables = connection.execute("select name from sqlite_master where type = 'table'")
        columns = {
            str(name): frozenset(
                row[1] for row in connection.execute(f"pragma table_info({_q(str(name))})")
            )
            for (name,) in tables.fetchall()
        }
        found = None
        if "alembic_version" in columns:
            found = connection.execute("select version_num from alembic_version").fetchone()
    except sqlite3.DatabaseError as exc:
        raise _unread(path, exc) from exc
    revisions.check(str(found[0]) if found else None, name=path.name)
    if lacked := [name for name in _NEEDED if name not in columns]:  # a view may never end
        raise _damaged(path, f"it has no table {lacked[0]}")
    return Tables(path, connection, columns)


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _unread(path: Path, exc: sqlite3.DatabaseError) -> MlopsError:
    if getattr(exc, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return OutsideWorld(
            f"another process writes to {path}",
            code="mlflow-db-busy",
            hint="run the same command again, or import a copy of it",
            details={"path": str(path)},
        )
    return _damaged(path, str(exc))


def _damaged(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{path} cannot be read as a database of MLflow: {why}",
        code="damaged-mlflow-db",
        hint=f"sqlite3 {path.name} 'pragma integrity_check'",
        details={"path": str(path)},
    )
