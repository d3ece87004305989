"""What led to a thing, and what came of it: a walk over the edges that records tell of.

Nodes are records and the bytes they name, each by its digest. Edges go from cause to effect:
data → run → features → run → dataset → run → model → version → promotion → deployment →
predictions → check → decision → run → … Pure over the index; names of the registry are
resolved by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlops_cli.ledger.graph import Graph, build
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.links import Edge, version_key
from mlops_cli.ledger.record import Record

_NOT_SERVING = ("stop",)


def up(index: Index, *starts: str) -> Graph:
    """Return all that led to `starts` (digests of records or of bytes), and they themselves."""
    return build(index, *_walk(starts, _Steps(index).causes))


def down(index: Index, *starts: str) -> Graph:
    """Return all that came of `starts`, and they themselves."""
    return build(index, *_walk(starts, _Steps(index).effects))


def both(index: Index, *starts: str) -> Graph:
    """Return all that led to `starts` and all that came of them."""
    steps = _Steps(index)
    above, below = _walk(starts, steps.causes), _walk(starts, steps.effects)
    return build(index, [*above[0], *below[0]], [*above[1], *below[1]])


def _walk(starts: Iterable[str], step: Callable[[str], list[Edge]]) -> tuple[list[str], list[Edge]]:
    seen: dict[str, None] = dict.fromkeys(starts)
    found: list[Edge] = []
    queue = list(seen)
    while queue:
        here = queue.pop()
        for edge in step(here):
            other = edge.source if edge.target == here else edge.target
            found.append(edge)
            if other not in seen:
                seen[other] = None
                queue.append(other)
    return list(seen), found


class _Steps:
    """One step along the edges, with the names between records resolved."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.known: dict[str, Record | None] = {}

    def record(self, digest: str) -> Record | None:
        if digest not in self.known:
            self.known[digest] = self.index.get(digest)
        return self.known[digest]

    def causes(self, node: str) -> list[Edge]:
        record = self.record(node)
        if record is None:
            return self._producer(node)
        found: list[Edge] = []
        for edge in self.index.edges_to(node):
            if edge.source.startswith("version:"):
                found.append(Edge(self._before(record), node, edge.relation, edge.name))
            elif edge.source.startswith("serving:"):
                if origin := self._deployment(edge.source, record):
                    found.append(Edge(origin, node, edge.relation, edge.name))
            else:
                found.append(edge)
        return list(dict.fromkeys(found))

    def effects(self, node: str) -> list[Edge]:
        record = self.record(node)
        if record is None:
            return [edge for edge in self.index.edges_from(node) if self._counts(edge)]
        found = [edge for edge in self.index.edges_from(node) if self._is_own(edge)]
        keys = [edge.target for edge in found if edge.target.startswith("serving:")]
        found = [edge for edge in found if not edge.target.startswith("serving:")]
        if record.kind in ("register", "promotion"):
            keys.append(version_key(record["model"], record["version"]))
        for key in keys:
            for edge in self.index.edges_from(key):
                found += [back for back in self.causes(edge.target) if back.source == node]
        return list(dict.fromkeys(found))

    def _counts(self, edge: Edge) -> bool:
        """Leave out attempts: runs that failed, and repetitions that the run cache answered."""
        record = self.record(edge.target)
        if record is None or record.kind != "run" or record["status"] == "done":
            return True
        return record["status"] == "cached" and edge.relation == "caused"

    def _is_own(self, edge: Edge) -> bool:
        """Leave out outputs that an earlier run made: what came of them did not come of this."""
        if edge.relation == "output":
            return any(maker.source == edge.source for maker in self._producer(edge.target))
        return self._counts(edge)

    def _producer(self, digest: str) -> list[Edge]:
        """Return the one run that first made these bytes, and what registered them as its own."""
        makers = []
        for edge in self.index.edges_to(digest):
            record = self.record(edge.source)
            if record is None or record["status"] in ("failed", "killed"):
                continue
            read = {back.source for back in self.index.edges_to(edge.source)}
            if digest not in read:  # else a step that changed nothing
                makers.append((record["status"] != "done", str(record["time"]), edge))
        return [edge for _, _, edge in sorted(makers, key=lambda maker: maker[:2])[:1]]

    def _before(self, record: Record) -> str:
        """Return what a promotion or deployment of a version follows."""
        named = {"model": record["model"], "number": record["version"]}
        if record.kind == "deployment":
            for promotion in self.index.newest("promotion", **named):
                if str(promotion["time"]) <= str(record["time"]):
                    return str(promotion.digest)
        registered = list(self.index.newest("register", **named))
        if registered:
            return str(registered[-1].digest)
        return version_key(record["model"], record["version"])

    def _deployment(self, key: str, record: Record) -> str | None:
        """Return the deployment that `key` stood for when `record` was written."""
        serving: list[Record] = []
        for edge in self.index.edges_to(key):
            found = self.record(edge.source)
            if found is not None and found["action"] not in _NOT_SERVING:
                serving.append(found)
        before = [d for d in serving if str(d["time"]) <= str(record["time"])]
        chosen = before[-1] if before else (serving[0] if serving else None)
        return str(chosen.digest) if chosen else None


def start_of(index: Index, model: str, number: int, *, digest: str, run: str | None) -> list[str]:
    """Return where to begin for a version: its register record, else its model and its run."""
    registered = list(index.newest("register", model=model, number=number))
    if registered:
        return [str(registered[-1].digest)]
    return [digest, *([run] if run else [])]
