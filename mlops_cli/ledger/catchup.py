"""What the refs of the ledger gained since the last time, taken into the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from mlops_cli.errors import OutsideWorld
from mlops_cli.ledger.database import Database
from mlops_cli.ledger.facts import comparable
from mlops_cli.ledger.layout import Found, is_ours, read
from mlops_cli.ledger.links import edges
from mlops_cli.ledger.record import Record
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

AT_ONCE = 2 << 20  # bytes that are read before their records are written
_OF_REFS = ("records", "bodies", "facts", "fields", "edges", "damaged")
_Heads = Mapping[str, tuple[str, str]]  # ref → commit, tree


def catch_up(database: Database, git: Git) -> int:
    """Read what the ledger's refs gained since the last time; return how many records.

    Where nothing is new that is one process: the listing of the refs. Records whose bytes are not
    what their name says are kept out, and told in the table `damaged`.
    """
    heads = refs.heads(git)
    known = {ref: (tip, tree) for ref, tip, tree in database.rows("select * from refs")}
    if heads == known:
        return 0
    changed = _changed(git, known, heads)
    fresh = changed is None  # a ref is gone or was rewritten: read all again
    if changed is None:
        changed = _changed(git, {}, heads) or {}
    new, write = 0, database.connection
    with write:
        write.execute("begin immediate")
        for table in _OF_REFS if fresh else ():
            write.execute(f"delete from {table}")
        for ref, blobs in changed.items():
            for some in _parts(refs.read_blobs(git, blobs)):
                found = Found()
                read(some, ref, found)
                new += _insert(database, found.records.values())
                write.executemany(
                    "insert or replace into damaged values (?, ?)", found.damaged.items()
                )
        write.execute("delete from damaged where digest in (select digest from records)")
        write.execute("delete from refs")
        write.executemany(
            "insert into refs values (?, ?, ?)", ((ref, *head) for ref, head in heads.items())
        )
    return new


def _insert(database: Database, records: Iterable[Record]) -> int:
    """Add the records that are not here yet; return how many."""
    fields = dict(database.rows("select name, id from fields"))
    before = len(fields)
    ((last,),) = database.rows("select coalesce(max(id), 0) from records")
    rows: list[tuple[Any, ...]] = []
    bodies: list[tuple[int, str]] = []
    told: list[tuple[int, int, Any]] = []
    joined: list[tuple[str, ...]] = []
    for record in records:
        digest = str(record.digest)
        if database.rows("select 1 from records where digest = ?", digest):
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
            (digest, edge.source, edge.target, edge.relation, edge.name) for edge in edges(record)
        )
    add = database.connection.executemany
    add("insert into records values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    add("insert into bodies values (?, ?)", bodies)
    add("insert into fields (name, id) values (?, ?)", list(fields.items())[before:])
    add("insert into facts values (?, ?, ?)", sorted(told, key=itemgetter(0, 1)))
    add("insert into edges values (?, ?, ?, ?, ?)", joined)
    return len(rows)


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


def _changed(git: Git, known: _Heads, heads: _Heads) -> dict[str, dict[str, str]] | None:
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


def _before(ref: str, known: _Heads) -> str | None:
    """Return a tree that was read and that the ref's holds most of: its own, or its twin's."""
    if ref in known:
        return known[ref][1]
    name = ref.rpartition("/")[2]
    twins = (tree for other, (_, tree) in known.items() if other.rpartition("/")[2] == name)
    return next(twins, None)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
