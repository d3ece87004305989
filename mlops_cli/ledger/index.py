"""The ledger in SQLite, to answer quickly: delete it and every answer is the same."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from mlops_cli.errors import IntegrityError, OutsideWorld
from mlops_cli.ledger import database
from mlops_cli.ledger.expression import Condition
from mlops_cli.ledger.facts import comparable, facts
from mlops_cli.ledger.layout import Found, is_ours, read
from mlops_cli.ledger.links import REPLACES, Edge, edges
from mlops_cli.ledger.narrow import narrow
from mlops_cli.ledger.record import Record
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

INDEX = ".mlops/index.sqlite"
AT_ONCE = 2 << 20  # bytes that are read before their records are written


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
        heads = refs.heads(git)
        known = {ref: (tip, tree) for ref, tip, tree in self._all("select * from refs")}
        if heads == known:
            return 0
        changed = _changed(git, known, heads)
        fresh = changed is None  # a ref is gone or was rewritten: read all again
        if changed is None:
            changed = _changed(git, {}, heads) or {}
        new = 0
        with self.connection:
            self.connection.execute("begin immediate")
            if fresh:
                for table in ("records", "bodies", "facts", "fields", "edges", "damaged"):
                    self.connection.execute(f"delete from {table}")
            for ref, blobs in changed.items():
                for some in _parts(refs.read_blobs(git, blobs)):
                    found = Found()
                    read(some, ref, found)
                    new += self._insert(found.records.values())
                    self.connection.executemany(
                        "insert or replace into damaged values (?, ?)", found.damaged.items()
                    )
            self.connection.execute(
                "delete from damaged where digest in (select digest from records)"
            )
            self.connection.execute("delete from refs")
            self.connection.executemany(
                "insert into refs values (?, ?, ?)", ((ref, *head) for ref, head in heads.items())
            )
        return new

    def _insert(self, records: Iterable[Record]) -> int:
        """Add the records that are not here yet; return how many."""
        fields = dict(self._all("select name, id from fields"))
        before = len(fields)
        ((last,),) = self._all("select coalesce(max(id), 0) from records")
        rows: list[tuple[Any, ...]] = []
        bodies: list[tuple[int, str]] = []
        told: list[tuple[int, int, Any]] = []
        joined: list[tuple[str, ...]] = []
        for record in records:
            digest = str(record.digest)
            if self.holds(digest):
                continue
            here = last + len(rows) + 1
            columns = (_text(record[name]) for name in ("run", "step", "status", "model"))
            version = record["version"]
            number = version if isinstance(version, int) and abs(version) < 2**63 else None
            rows.append((here, digest, record.kind, str(record["time"] or ""), *columns, number))
            bodies.append((here, record.data.decode()))
            for name, value in comparable(record).items():
                told.append((fields.setdefault(name, len(fields) + 1), here, value))
            joined += (
                (digest, edge.source, edge.target, edge.relation, edge.name)
                for edge in edges(record)
            )
        add = self.connection.executemany
        add("insert into records values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        add("insert into bodies values (?, ?)", bodies)
        add(
            "insert into fields (name, id) values (?, ?)",
            list(fields.items())[before:],
        )
        add("insert into facts values (?, ?, ?)", sorted(told, key=itemgetter(0, 1)))
        add("insert into edges values (?, ?, ?, ?, ?)", joined)
        return len(rows)

    def holds(self, digest: str) -> bool:
        """Return whether the record is here and sound."""
        return bool(self._all("select 1 from records where digest = ?", digest))

    def damaged(self) -> dict[str, str]:
        """Return digest → what is wrong, of the records that could not be trusted."""
        return dict(self._all("select digest, why from damaged order by digest"))

    def get(self, digest: str) -> Record | None:
        """Return the record, None where there is none. Raises IntegrityError ("damaged-record")."""
        rows = self._all(
            "select kind, body from records join bodies using (id) where digest = ?", digest
        )
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
            "select kind, body from records join bodies using (id)"
            f" where {where} order by time desc, digest limit ?",
            *(*wanted.values(), limit),
        )
        for found, body in rows:
            yield Record(found, json.loads(body))

    def fitting(self, condition: Condition, kind: str) -> Iterator[Record]:
        """Yield the records of `kind` that fulfil `condition`, newest first."""
        fields = dict(self._all("select name, id from fields"))
        clause, values = narrow(condition, fields.get)
        rows = self.connection.execute(
            "select kind, body from records join bodies using (id)"
            f" where kind = ? and ({clause}) order by time desc, digest",
            (kind, *values),
        )
        while some := self._some(rows):
            for found, body in some:
                record = Record(found, json.loads(body))
                if condition(facts(record)):
                    yield record

    def replaced(self) -> frozenset[str]:
        """Return the digests of the records of runs of which there is a later state."""
        rows = self._all("select source from edges where name = ?", REPLACES)
        return frozenset(row[0] for row in rows)

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

    def makers(self, node: str, *, until: str | None = None) -> list[Edge]:
        """Return the edge from the run that first made these bytes, which did not read them, or
        from one that no ref here tells of; `until` leaves out what was written later."""
        rows = self._all(
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

    def named(self, name: str, *, until: str | None = None) -> str | None:
        """Return the digest that the newest record saw under the path `name`; what experiments
        saw there counts only where nothing else did."""
        rows = self._all(
            "select iif(edges.source = record, edges.target, edges.source) from edges"
            " join records on digest = record join bodies using (id) where name = ? and time <= ?"
            " order by json_extract(body, '$.experiment') is not null, time desc limit 1",
            *(name, until or "~"),
        )
        return rows[0][0] if rows else None

    def ends_of(self, step: str, end: str, *, until: str | None = None) -> list[str]:
        """Return all that runs of `step` ever read ("input") or made ("output"), oldest first."""
        other = {"input": "source", "output": "target"}[end]
        rows = self._all(
            f"select {other}, min(time) from edges join records on digest = record"
            " where step = ? and relation = ? and time <= ? group by 1 order by 2, 1",
            *(step, end, until or "~"),
        )
        return [row[0] for row in rows]

    def digests(self, prefix: str, *, limit: int = 4) -> list[str]:
        """Return the digests, of records and of bytes they name, that begin with `prefix`."""
        places = (("digest", "records"), ("source", "edges"), ("target", "edges"))
        each = " union ".join(
            f"select {name} from {table} where {name} >= ? and {name} < ?" for name, table in places
        )
        rows = self._all(f"{each} limit ?", *((prefix, prefix + "~") * len(places)), limit)
        return [row[0] for row in rows]

    def names(self) -> list[str]:
        """Return every path and step that a record names."""
        rows = self._all("select name from edges union select step from records")
        return [row[0] for row in rows if row[0]]

    def _edges(self, end: str, node: str) -> list[Edge]:
        rows = self._all(
            "select distinct source, target, relation, name from edges"
            f" join records on digest = record where {end} = ? order by time, digest, name",
            node,
        )
        return [Edge(*row) for row in rows]

    def _all(self, question: str, *values: Any) -> list[Any]:
        return self._asked(lambda: self.connection.execute(question, values).fetchall())

    def _some(self, rows: sqlite3.Cursor) -> list[Any]:
        return self._asked(lambda: rows.fetchmany(50))

    def _asked(self, ask: Callable[[], list[Any]]) -> list[Any]:
        try:
            return ask()
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
            if "locked" in str(exc):  # somebody makes it anew and takes long: theirs is sound
                index = Index(path, database.connect(database.MEMORY))
                index.refresh(git)
                return index
            if isinstance(exc, OutsideWorld) and exc.code != "index-damaged":
                raise
        except BaseException:
            connection.close()
            raise
    raise RuntimeError("not even a database in memory can be used")


def _parts(
    found: Iterable[tuple[str, bytes | None]],
) -> Iterator[list[tuple[str, bytes | None]]]:
    """Yield the members of `found`, a few megabytes at a time: parsed, they take ten times that."""
    some: list[tuple[str, bytes | None]] = []
    size = 0
    for path, data in found:
        some.append((path, data))
        size += len(data or b"")
        if size > AT_ONCE:
            yield some
            some, size = [], 0
    yield some


def _changed(
    git: Git, known: Mapping[str, tuple[str, str]], heads: Mapping[str, tuple[str, str]]
) -> dict[str, dict[str, str]] | None:
    """Return ref → path → blob id of what came since `known`; None where something went."""
    if not {tip for tip, _ in known.values()} <= {tip for tip, _ in heads.values()}:
        gone = known.keys() - heads.keys()
        if any(known[ref] not in heads.values() for ref in gone):
            return None
    seen = {tree for _, tree in known.values()}
    pairs: dict[str, tuple[str | None, str]] = {}
    for ref, (_, tree) in sorted(heads.items()):
        if tree not in seen:
            seen.add(tree)
            pairs[ref] = (_before(ref, known), tree)
    try:
        changes = refs.changes(git, pairs)
    except OutsideWorld:
        if not known:
            raise
        return None  # a tree that was known is not here any more
    found: dict[str, dict[str, str]] = {}
    for ref, rows in changes.items():
        ours = [row for row in rows if is_ours(row[1])]
        if any(sign != "A" for sign, _, _ in ours):
            return None
        found[ref] = {path: oid for _, path, oid in ours}
    return found


def _before(ref: str, known: Mapping[str, tuple[str, str]]) -> str | None:
    """Return a tree that was read and that the ref's holds most of: its own, or its twin's."""
    if ref in known:
        return known[ref][1]
    name = ref.rpartition("/")[2]
    twins = (tree for other, (_, tree) in known.items() if other.rpartition("/")[2] == name)
    return next(twins, None)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _column(name: str) -> str:
    if name not in ("kind", "run", "step", "status", "model", "number"):
        raise ValueError(f"no column {name}")
    return name
