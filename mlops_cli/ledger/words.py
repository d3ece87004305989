"""What a word of a person may mean to the ledger: a path, a step, the beginning of a digest."""

from __future__ import annotations

from mlops_cli.ledger.index import Index


def seen_as(index: Index, name: str, *, until: str | None = None) -> str | None:
    """Return the digest that the newest record saw under the path `name`; what experiments
    saw there counts only where nothing else did."""
    rows = index.database.rows(
        "select iif(edges.source = record, edges.target, edges.source) from edges"
        " join records on digest = record join bodies using (id) where name = ? and time <= ?"
        " order by json_extract(body, '$.experiment') is not null, time desc limit 1",
        *(name, until or "~"),
    )
    return rows[0][0] if rows else None


def ever(index: Index, name: str, *, until: str | None = None) -> list[str]:
    """Return all that a record saw under the path `name`, oldest first."""
    rows = index.database.rows(
        "select iif(edges.source = record, edges.target, edges.source), min(time) from edges"
        " join records on digest = record where name = ? and time <= ? group by 1 order by 2, 1",
        *(name, until or "~"),
    )
    return [row[0] for row in rows]


def ends_of(index: Index, step: str, end: str, *, until: str | None = None) -> list[str]:
    """Return all that runs of `step` ever read ("input") or made ("output"), oldest first."""
    other = {"input": "source", "output": "target"}[end]
    rows = index.database.rows(
        f"select {other}, min(time) from edges join records on digest = record"
        " where step = ? and relation = ? and time <= ? group by 1 order by 2, 1",
        *(step, end, until or "~"),
    )
    return [row[0] for row in rows]


def beginning(index: Index, prefix: str, *, limit: int = 4) -> list[str]:
    """Return the digests, of records and of bytes they name, that begin with `prefix`."""
    places = (("digest", "records"), ("source", "edges"), ("target", "edges"))
    each = " union ".join(
        f"select {name} from {table} where {name} >= ? and {name} < ?" for name, table in places
    )
    rows = index.database.rows(f"{each} limit ?", *((prefix, prefix + "~") * len(places)), limit)
    return [row[0] for row in rows]


def fields(index: Index) -> list[str]:
    """Return the dotted names of all params, metrics and what was logged."""
    return [row[0] for row in index.database.rows("select name from fields")]


def names(index: Index) -> list[str]:
    """Return every path and step that a record names."""
    rows = index.database.rows("select name from edges union select step from records")
    return [row[0] for row in rows if row[0]]
