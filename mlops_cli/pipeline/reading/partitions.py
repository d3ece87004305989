"""`partitions:`: an entry of `steps` that stands for a step a day, an hour, or a key.

A partition in time is there once it is over, so which steps there are follows from the clock.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.steps import Partitions
from mlops_cli.pipeline.reading.build import build
from mlops_cli.pipeline.words.document import Node, Place, refuse

MOST = 100_000  # partitions of one entry


@dataclass(slots=True)
class Span:
    """The time for which steps are asked, and between which times the answer is the same."""

    now: datetime
    since: datetime | None = None
    until: datetime | None = None

    @property
    def seconds(self) -> tuple[float, float] | None:
        """The bounds as seconds since 1970, None where the clock says nothing of the steps."""
        if self.since is None:
            return None
        until = self.until.timestamp() if self.until else 1e15
        return self.since.timestamp(), until

    def narrow(self, since: datetime, until: datetime | None) -> None:
        """Take note that the answer is the same from `since` to `until` only."""
        self.since = max(since, self.since or since)
        if until is not None:
            self.until = min(until, self.until or until)


def items(source: Node, where: str, span: Span) -> list[Node]:
    """Return a node for each partition, whose text is its name, in order.

    Raises ConfigError at the place of what is wrong.
    """
    said: Partitions = build(Partitions, source, where)
    if bool(said.keys) == bool(said.start):
        raise refuse(
            source.place,
            f"{where} needs either start, for partitions in time, or keys",
            code="wrong-value",
            hint="partitions: {by: time, every: 1d, start: 2024-01-01}",
        )
    if said.keys:
        listed = source.value["keys"]
        each = listed.value if isinstance(listed.value, tuple) else (listed,)
        return [_item(node.text, node.place, {}) for node in each]
    return _in_time(said, source, where, span)


def _in_time(said: Partitions, source: Node, where: str, span: Span) -> list[Node]:
    every = duration(said.every)
    if every < timedelta(minutes=1):
        raise refuse(
            source.value["every"].place, "a partition is at least 1m long", code="wrong-value"
        )
    start, end = (_time(source, word) for word in ("start", "end"))
    assert start is not None
    last = min(span.now, end) if end else span.now
    count = max(0, (last - start) // every)
    if count > MOST:
        raise refuse(
            source.place,
            f"{where} stands for {count:,} partitions, and {MOST:,} are the most",
            code="wrong-value",
            hint="a later start, or a longer every",
        )
    closed = start + every * count
    over = end is not None and closed + every > end
    since = closed if count else datetime.fromtimestamp(0, UTC)
    span.narrow(since, None if over else closed + every)
    whole = every % timedelta(days=1) == timedelta() and start.time() == datetime.min.time()
    words = said.format or ("%Y-%m-%d" if whole else "%Y-%m-%dT%H%M")
    found: list[Node] = []
    for n in range(count):
        begin = start + every * n
        bounds = {"start": _spelled(begin, whole), "end": _spelled(begin + every, whole)}
        found.append(_item(begin.strftime(words), source.place, bounds))
    texts = [one.text for one in found]
    if any(one >= other for one, other in itertools.pairwise(texts)):
        raise refuse(
            source.value["format"].place if said.format else source.place,
            f"the names made by {words!r} do not sort as time goes on",
            code="wrong-value",
            hint="begin with the year, and be as fine as every: %Y-%m-%d",
        )
    return found


def _item(text: str, place: Place, bounds: dict[str, str]) -> Node:
    parts = {name: Node(place, bound, bound) for name, bound in bounds.items()}
    return Node(place, parts or text, text, keys=dict.fromkeys(parts, place))


def _time(source: Node, word: str) -> datetime | None:
    node = source.value.get(word)
    if node is None or node.value is None:
        return None
    try:
        found = datetime.fromisoformat(node.text)
    except ValueError as exc:
        raise refuse(
            node.place,
            f"{node.text!r} is no time",
            code="wrong-value",
            hint="2024-01-01, or 2024-01-01T06:00 (UTC)",
        ) from exc
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _spelled(at: datetime, whole: bool) -> str:
    return at.strftime("%Y-%m-%d" if whole else "%Y-%m-%dT%H:%M:%SZ")
