"""The runs behind a model, from what made it to what made the first of its data."""

from __future__ import annotations

from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import Record
from mlops_cli.registry.statement import digests


def runs(index: Index, *starts: str | None) -> list[Record]:
    """Return the records `starts` and those of the runs behind them, as the index has them;
    those that are not here are left out."""
    found: dict[str, Record | None] = {}
    queue = [digest for digest in starts if digest]
    while queue:
        digest = queue.pop(0)
        if digest not in found:
            record = found[digest] = index.get(digest)
            inputs = digests(record["inputs"]).values() if record else ()
            queue += [run for used in inputs if (run := maker(index, used))]
    return [record for record in found.values() if record]


def maker(index: Index, digest: str) -> str | None:
    """Return the record of the run that first made these bytes, None where none here did."""
    for edge in index.makers(digest):
        if edge.relation in ("output", "made") and index.holds(edge.source):
            return edge.source
    return None
