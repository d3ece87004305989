"""The ledger in SQLite, to answer quickly: delete it and every answer is the same."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli.errors import IntegrityError, OutsideWorld
from mlops_cli.ledger import database
from mlops_cli.ledger.links import Edge, edges
from mlops_cli.ledger.record import Record, parse
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

INDEX = ".mlops/index.sqlite"


@dataclass(frozen=True, slots=True)
class Index:
    """An open index; `open_index` makes one that is up to date."""

    path: Path
    connection: sqlite3.Connection

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *exc: object) -> None:
        self.connection.close()

    def refresh(self, git: Git) -> int:
        """Read what the ledger's refs gained since the last time; return how many records.

        Two processes when nothing is new is one: the listing of the refs. Records whose bytes
        are not what their name says are kept out, and named by `damaged`.
        """
        tips = refs.tips(git, refs.LEDGER)
        known = dict(self._all("select ref, tip from refs"))
        if tips == known:
            return 0
        if not known.keys() <= tips.keys() or not _grew(git, known, tips):
            known = {}  # a ref is gone or was rewritten: read all again
        found: dict[str, Record] = {}
        damaged: dict[str, str] = {}
        for ref in sorted(tips):
            if known.get(ref) != tips[ref]:
                blobs = refs.log_new(git, tips[ref], known.get(ref))
                _read(ref, refs.read_blobs(git, blobs), found, damaged)
        with self.connection:
            self.connection.execute("begin immediate")
            if not known:
                for table in ("refs", "records", "edges", "damaged"):
                    self.connection.execute(f"delete from {table}")
            self._insert(found.values())
            self.connection.executemany(
                "insert or replace into damaged values (?, ?)", damaged.items()
            )
            self.connection.executemany("insert or replace into refs values (?, ?)", tips.items())
        return len(found)

    def _insert(self, records: Iterable[Record]) -> None:
        new = [record for record in records if not self._holds(record.digest)]
        self.connection.executemany(
            "insert or ignore into records values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    str(record.digest),
                    record.kind,
                    str(record["time"] or ""),
                    *(_text(record[name]) for name in ("run", "step", "status", "model")),
                    record["version"] if isinstance(record["version"], int) else None,
                    record.data.decode(),
                )
                for record in new
            ),
        )
        self.connection.executemany(
            "insert into edges values (?, ?, ?, ?, ?)",
            (
                (str(record.digest), edge.source, edge.target, edge.relation, edge.name)
                for record in new
                for edge in edges(record)
            ),
        )

    def _holds(self, digest: str) -> bool:
        return bool(self._all("select 1 from records where digest = ?", digest))

    def damaged(self) -> dict[str, str]:
        """Return digest → what is wrong, of the records that could not be trusted."""
        return dict(self._all("select digest, why from damaged order by digest"))

    def get(self, digest: str) -> Record | None:
        """Return the record, None where there is none. Raises IntegrityError ("damaged-record")."""
        rows = self._all("select kind, body from records where digest = ?", digest)
        if rows:
            return Record(rows[0][0], json.loads(rows[0][1]))
        broken = self._all("select why from damaged where digest = ?", digest)
        if broken:
            raise IntegrityError(
                broken[0][0], code="damaged-record", hint="git fsck", details={"digest": digest}
            )
        return None

    def find(self, prefix: str, *, limit: int = 10) -> list[str]:
        """Return the digests of the records that begin with `prefix` ("sha256:1a2b")."""
        rows = self._all(
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
        rows = self._all(
            f"select kind, body from records where {where} order by time desc, digest limit ?",
            *(*wanted.values(), limit),
        )
        for found, body in rows:
            yield Record(found, json.loads(body))

    def run_ids(self, *, limit: int = -1, prefix: str = "") -> list[str]:
        """Return the ids of runs, newest first."""
        rows = self._all(
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

    def named(self, name: str) -> str | None:
        """Return the digest that the newest record saw under the path `name`; what experiments
        saw there counts only where nothing else did."""
        rows = self._all(
            "select iif(edges.source = record, edges.target, edges.source) from edges"
            " join records on digest = record where name = ?"
            " order by json_extract(body, '$.experiment') is not null, time desc limit 1",
            name,
        )
        return rows[0][0] if rows else None

    def _edges(self, end: str, node: str) -> list[Edge]:
        rows = self._all(
            "select distinct source, target, relation, name from edges"
            f" join records on digest = record where {end} = ? order by time, digest, name",
            node,
        )
        return [Edge(*row) for row in rows]

    def _all(self, question: str, *values: Any) -> list[Any]:
        try:
            return self.connection.execute(question, values).fetchall()
        except sqlite3.DatabaseError as exc:
            raise OutsideWorld(
                f"the index {self.path} cannot be read: {exc}",
                code="index-damaged",
                hint=f"rm {self.path}; it is rebuilt from the ledger",
            ) from exc


def open_index(git: Git, path: Path | None = None) -> Index:
    """Return the index of the repository, up to date with the refs that are here.

    The file is made anew when it is absent, damaged or of another version of this program; where
    it cannot be written, or nothing of ours is there yet, the index lives in memory this once.
    """
    at_home = path is None
    path = path or git.root / INDEX
    if at_home and not path.parent.is_dir():
        path = Path(database.MEMORY)  # not a project yet: asking leaves no trace
    for connection in database.candidates(path):
        index = Index(path, connection)
        try:
            index.refresh(git)
            return index
        except (sqlite3.DatabaseError, OutsideWorld) as exc:
            connection.close()
            if isinstance(exc, OutsideWorld) and exc.code != "index-damaged":
                raise
        except BaseException:
            connection.close()
            raise
    raise RuntimeError("not even a database in memory can be used")


def _grew(git: Git, known: Mapping[str, str], tips: Mapping[str, str]) -> bool:
    return all(
        tips[ref] == tip or git.call("merge-base", "--is-ancestor", tip, tips[ref]).code == 0
        for ref, tip in known.items()
    )


def _read(
    ref: str,
    blobs: Iterable[tuple[str, bytes | None]],
    found: dict[str, Record],
    damaged: dict[str, str],
) -> None:
    for path, data in blobs:
        folder, _, name = path.rpartition("/")
        if not folder.startswith("records/") or not name.endswith(".json"):
            continue
        digest = f"sha256:{name.removesuffix('.json')}"
        if data is None:
            damaged[digest] = f"git has lost the bytes of the record {digest} in {ref}"
            continue
        try:
            found[digest] = parse(data, name=digest, source=ref)
        except IntegrityError as exc:
            damaged[digest] = exc.message


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _column(name: str) -> str:
    if name not in ("kind", "run", "step", "status", "model", "number"):
        raise ValueError(f"no column {name}")
    return name
