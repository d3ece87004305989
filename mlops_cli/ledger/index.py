"""The ledger in SQLite, to answer quickly: delete it and every answer is the same."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli.errors import IntegrityError, OutsideWorld
from mlops_cli.ledger import database as databases
from mlops_cli.ledger.catchup import catch_up
from mlops_cli.ledger.condition import Condition
from mlops_cli.ledger.database import Database
from mlops_cli.ledger.facts import facts
from mlops_cli.ledger.links import REPLACES, Edge
from mlops_cli.ledger.narrow import narrow
from mlops_cli.ledger.record import Record
from mlops_cli.vcs.repo import Git

INDEX = ".mlops/index.sqlite"


@dataclass(frozen=True, slots=True)
class Index:
    """An open index; `open_index` makes one that is up to date."""

    database: Database

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *exc: object) -> None:
        self.database.close()

    def holds(self, digest: str) -> bool:
        """Return whether the record is here and sound."""
        return bool(self.database.rows("select 1 from records where digest = ?", digest))

    def damaged(self) -> dict[str, str]:
        """Return digest → what is wrong, of the records that could not be trusted."""
        return dict(self.database.rows("select digest, why from damaged order by digest"))

    def get(self, digest: str) -> Record | None:
        """Return the record, None where there is none. Raises IntegrityError ("damaged-record")."""
        rows = self.database.rows(
            "select kind, body from records join bodies using (id) where digest = ?", digest
        )
        if rows:
            return Record(rows[0][0], json.loads(rows[0][1]))
        broken = self.database.rows("select why from damaged where digest = ?", digest)
        if broken:
            raise IntegrityError(
                broken[0][0], code="damaged-record", hint="git fsck", details={"digest": digest}
            )
        return None

    def find(self, prefix: str, *, limit: int = 10) -> list[str]:
        """Return the digests of the records that begin with `prefix` ("sha256:1a2b")."""
        rows = self.database.rows(
            "select digest from records where digest >= ? and digest < ? order by 1 limit ?",
            *(prefix, prefix + "~", limit),
        )
        return [row[0] for row in rows]

    def newest(self, kind: str | None = None, *, limit: int = -1, **equal: Any) -> Iterator[Record]:
        """Yield records of `kind`, newest first; `equal`: run, step, status, model, number."""
        wanted = {
            name: value for name, value in {"kind": kind, **equal}.items() if value is not None
        }
        where = " and ".join(f"{_column(name)} = ?" for name in wanted) or "1"
        rows = self.database.some(
            "select kind, body from records join bodies using (id)"
            f" where {where} order by time desc, digest limit ?",
            *(*wanted.values(), limit),
        )
        for found, body in rows:
            yield Record(found, json.loads(body))

    def fitting(self, condition: Condition, kind: str) -> Iterator[Record]:
        """Yield the records of `kind` that fulfil `condition`, newest first."""
        fields = dict(self.database.rows("select name, id from fields"))
        clause, values = narrow(condition, fields.get)
        rows = self.database.some(
            "select kind, body from records join bodies using (id)"
            f" where kind = ? and ({clause}) order by time desc, digest",
            *(kind, *values),
        )
        for found, body in rows:
            record = Record(found, json.loads(body))
            if condition(facts(record)):
                yield record

    def replaced(self) -> frozenset[str]:
        """Return the digests of the records of runs of which there is a later state."""
        rows = self.database.rows("select source from edges where name = ?", REPLACES)
        return frozenset(row[0] for row in rows)

    def run_ids(self, *, limit: int = -1, prefix: str = "") -> list[str]:
        """Return the ids of runs, newest first."""
        rows = self.database.rows(
            "select run, max(time) from records where kind = 'run' and run >= ? and run < ?"
            " group by run order by 2 desc, 1 desc limit ?",
            *(prefix, prefix + "~", limit),
        )
        return [row[0] for row in rows]

    def edges_to(self, node: str) -> list[Edge]:
        """Return the edges that end at a digest or name, in the order they were recorded."""
        return self._edges("target", node)

    def edges_from(self, node: str) -> list[Edge]:
        """Return the edges that begin at a digest or name, in the order they were recorded."""
        return self._edges("source", node)

    def makers(self, node: str, *, until: str | None = None) -> list[Edge]:
        """Return the edge from the run that first made these bytes, which did not read them, or
        from one that no ref here tells of; `until` leaves out what was written later."""
        rows = self.database.rows(
            "select made.source, made.target, made.relation, made.name from edges made"
            " join records told on told.digest = made.record"
            " left join records ran on ran.digest = made.source"
            " where made.target = ? and coalesce(ran.status, 'done') in ('done', 'cached')"
            " and told.time <= ? and coalesce(ran.time, '') <= ?"
            " and not exists (select 1 from edges read"
            "  where read.target = made.source and read.source = made.target)"
            " order by ran.status is null, ran.status != 'done', ran.time, made.source, made.name"
            " limit 1",
            *(node, until or "~", until or "~"),
        )
        return [Edge(*row) for row in rows]

    def _edges(self, end: str, node: str) -> list[Edge]:
        rows = self.database.rows(
            "select distinct source, target, relation, name from edges"
            f" join records on digest = record where {end} = ? order by time, digest, name",
            node,
        )
        return [Edge(*row) for row in rows]


def open_index(git: Git, path: Path | None = None) -> Index:
    """Return the index of the repository, up to date with the refs that are here.

    The file is made anew when it is absent, damaged or of another version of this program; where
    it cannot be written, or nothing of ours is there yet, the index lives in memory this once.
    """
    at_home = path is None
    path = path or git.root / INDEX
    if at_home and not path.parent.is_dir():
        path = Path(databases.MEMORY)  # not a project yet: asking leaves no trace
    for database in databases.candidates(path):
        try:
            catch_up(database, git)
            return Index(database)
        except (sqlite3.DatabaseError, OutsideWorld) as exc:
            database.close()
            if "locked" in str(exc):  # somebody makes it anew and takes long: theirs is sound
                alone = databases.memory()
                catch_up(alone, git)
                return Index(alone)
            if isinstance(exc, OutsideWorld) and exc.code != "index-damaged":
                raise
        except BaseException:
            database.close()
            raise
    raise RuntimeError("not even a database in memory can be used")


def _column(name: str) -> str:
    if name not in ("kind", "run", "step", "status", "model", "number"):
        raise ValueError(f"no column {name}")
    return name
