"""What led to a thing, and what came of it: a walk over the edges that records tell of.

Nodes are records and the bytes they name, each by its digest. Edges go from cause to effect:
data → run → features → run → dataset → run → model → version → promotion → deployment →
predictions → check → decision → run → … Pure over the index; names of the registry are
resolved by the caller. `until` leaves out every record of a later time: what stood then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlops_cli.errors import IntegrityError
from mlops_cli.ledger.graph import Graph, build
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.links import Edge, event_key, serving_key, version_key
from mlops_cli.ledger.record import Record

_NOT_SERVING = ("stop",)
_MAKING = ("input", "code", "output", "made", "registered")


def up(index: Index, *starts: str, until: str | None = None) -> Graph:
    """Return all that led to `starts` (digests of records or of bytes), and they themselves."""
    steps = _Steps(index, until)
    return build(steps.record, steps.makers, *_walk(starts, steps.causes))


def down(index: Index, *starts: str, until: str | None = None) -> Graph:
    """Return all that came of `starts`, and they themselves."""
    steps = _Steps(index, until)
    return build(steps.record, steps.makers, *steps.among(*_walk(starts, steps.effects)))


def both(index: Index, *starts: str, until: str | None = None) -> Graph:
    """Return all that led to `starts` and all that came of them."""
    steps = _Steps(index, until)
    above, below = _walk(starts, steps.causes), _walk(starts, steps.effects)
    found = steps.among([*above[0], *below[0]], [*above[1], *below[1]])
    return build(steps.record, steps.makers, *found)


def making(index: Index, *starts: str, until: str | None = None) -> Graph:
    """Return what `starts` were made of and by: no cause of another kind, so no version before."""
    steps = _Steps(index, until)

    def made(node: str) -> list[Edge]:
        return [edge for edge in steps.causes(node) if edge.relation in _MAKING]

    return build(steps.record, steps.makers, *_walk(starts, made))


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

    def __init__(self, index: Index, until: str | None = None) -> None:
        self.index = index
        self.until = until
        self.known: dict[str, Record | None] = {}

    def record(self, digest: str) -> Record | None:
        if digest not in self.known:
            try:
                self.known[digest] = self.index.get(digest)
            except (
                IntegrityError
            ):  # damaged: `Index.damaged` tells; here it is a name without bytes
                self.known[digest] = None
        return self.known[digest]

    def causes(self, node: str) -> list[Edge]:
        return [edge for edge in self._causes(node) if not self._later(edge.source)]

    def effects(self, node: str) -> list[Edge]:
        return [edge for edge in self._effects(node) if not self._later(edge.target)]

    def among(self, nodes: list[str], edges: list[Edge]) -> tuple[list[str], list[Edge]]:
        """Return `nodes` and, with `edges`, those between them that nobody walked along."""
        there = set(nodes)
        more = [
            edge
            for node in there
            if self.record(node) is not None
            for edge in self.causes(node)
            if edge.source in there and self._counts(edge)
        ]
        return nodes, [*edges, *sorted(more, key=lambda edge: (edge.target, edge.source))]

    def _later(self, node: str) -> bool:
        if self.until is None:
            return False
        record = self.record(node)
        return record is not None and str(record["time"]) > self.until

    def _causes(self, node: str) -> list[Edge]:
        record = self.record(node)
        if record is None:
            return self.makers(node)
        found: list[Edge] = []
        for edge in self.index.edges_to(node):
            if edge.source.startswith("version:"):
                before, by = self._before(record)
                found.append(Edge(before, node, edge.relation, edge.name, by))
            elif edge.source.startswith("event:"):
                if former := self._event(edge.source, record):
                    found.append(Edge(former, node, edge.relation, edge.name, "version"))
            elif edge.source.startswith("serving:"):
                if origin := self.deployment(edge.source, str(record["time"])):
                    found.append(Edge(origin, node, edge.relation, edge.name, "time"))
            else:
                found.append(edge)
        return list(dict.fromkeys(found))

    def _effects(self, node: str) -> list[Edge]:
        record = self.record(node)
        if record is None:
            return [edge for edge in self.index.edges_from(node) if self._counts(edge)]
        found = [edge for edge in self.index.edges_from(node) if self._is_own(edge)]
        keys = [edge.target for edge in found if edge.target.startswith("serving:")]
        found = [edge for edge in found if not edge.target.startswith("serving:")]
        if record.kind in ("register", "promotion"):
            keys.append(version_key(record["model"], record["version"]))
        if record.kind == "promotion":
            keys.append(event_key(record["model"], record["alias"], record["event"]))
        for key in keys:
            for edge in self.index.edges_from(key):
                found += [back for back in self._causes(edge.target) if back.source == node]
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
            return any(maker.source == edge.source for maker in self.makers(edge.target))
        return self._counts(edge)

    def makers(self, digest: str) -> list[Edge]:
        """Return the one run that first made these bytes, and what registered them as its own."""
        return self.index.makers(digest, until=self.until)

    def _before(self, record: Record) -> tuple[str, str]:
        """Return what a promotion or deployment of a version follows, and how that is known."""
        named = {"model": record["model"], "number": record["version"]}
        if record.kind == "deployment":
            for promotion in self.index.newest("promotion", **named):
                if str(promotion["time"]) <= str(record["time"]):
                    return str(promotion.digest), "time"
        registered = list(self.index.newest("register", **named))
        if registered:
            return str(registered[-1].digest), "version"
        return version_key(record["model"], record["version"]), "version"

    def _event(self, key: str, record: Record) -> str | None:
        """Return the record of the event of an alias that `key` names."""
        for found in self.index.newest("promotion", model=record["model"]):
            if event_key(found["model"], found["alias"], found["event"]) == key:
                return str(found.digest)
        return None

    def deployment(self, key: str, time: str) -> str | None:
        """Return the deployment that `key` stood for at a time."""
        serving: list[Record] = []
        for edge in self.index.edges_to(key):
            found = self.record(edge.source)
            if found is not None and found["action"] not in _NOT_SERVING:
                serving.append(found)
        before = [one for one in serving if str(one["time"]) <= time]
        chosen = before[-1] if before else (serving[0] if serving else None)
        return str(chosen.digest) if chosen else None


def deployment_of(index: Index, environment: str, model: str, time: str) -> str | None:
    """Return the record by which the model of this digest was served in `environment` then."""
    return _Steps(index).deployment(serving_key(environment, model), time)


def start_of(index: Index, model: str, number: int, *, digest: str, run: str | None) -> list[str]:
    """Return where to begin for a version: its register record, else its model and its run."""
    registered = list(index.newest("register", model=model, number=number))
    if registered:
        return [str(registered[-1].digest)]
    return [digest, *([run] if run else [])]
