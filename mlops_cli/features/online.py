"""What an online store promises: the newest values of an entity, in microseconds, by its key.

A store holds one snapshot a view: every entity with its values as they were known at one instant,
the watermark. Stores are found by name through `plugins`, so that serving reaches them without an
import; nothing here needs Arrow or numpy. tests/conformance/test_online_stores.py is the contract.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from mlops_cli import plugins
from mlops_cli.errors import NotFound

Missing = Literal["unknown", "expired", "later"]
Row = tuple[Sequence[Any], int | None, Sequence[Any]]  # entity, its time, its values

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a view in their order: entity → string | int | bool, columns → dtype."""

    entity: Mapping[str, str]
    columns: Mapping[str, str]

    def same(self, other: Layout) -> bool:
        """Return whether both say the same in the same order."""
        return [*self.entity.items()] == [*other.entity.items()] and [*self.columns.items()] == [
            *other.columns.items()
        ]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a view knows at `as_of` (microseconds since 1970, UTC).

    A row's time is when its values became known, None where that is `as_of` itself (windows).
    `blank` is what the view says of an entity that it never saw: a count of nothing is 0.
    `source` is the digest of the values it was made from.
    """

    view: str
    layout: Layout
    as_of: int
    source: str
    blank: tuple[Any, ...]
    rows: Iterable[Row]


@dataclass(frozen=True, slots=True)
class About:
    """What a store holds of one view."""

    layout: Layout
    as_of: int
    source: str
    blank: tuple[Any, ...]
    entities: int


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication changed in the store."""

    entities: int
    written: int
    removed: int


class Found(NamedTuple):
    """The values of one entity, in the order of the layout, and why they are not there.

    `unknown`: the entity was never seen, and the values are the blank ones. `expired`: they were
    older than the ttl; `later`: they became known after the moment that was asked about; the
    values are then null.
    """

    values: tuple[Any, ...]
    missing: Missing | None = None


class OnlineStore(Protocol):
    """One snapshot a view. Readers and writers may be in different processes."""

    def publish(self, snapshot: Snapshot, *, back: bool = False) -> Published:
        """Replace what the view held, all at once: a reader sees the old or the new snapshot,
        also when the writer is killed. Raises StateRefused ("watermark-ahead") when the store
        holds a later instant, unless `back`."""
        ...

    def about(self, view: str) -> About | None:
        """Return what the store holds of `view`, None when nothing was ever published."""
        ...

    def read(
        self,
        view: str,
        entities: Sequence[Sequence[Any]],
        *,
        at: Sequence[int],
        ttl: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> list[Found]:
        """Return what was known of each entity at its moment in `at`, all from one snapshot.

        Times and `ttl` are in microseconds; an age of exactly the ttl is still fresh. `columns`
        says which values, in which order; all when None. Raises NotFound ("not-materialized",
        "column-missing")."""
        ...

    def views(self) -> list[str]:
        """Return the names of all views that were published, sorted."""
        ...

    def drop(self, view: str) -> bool:
        """Forget `view`; return whether the store held it."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


def open_store(kind: str, root: Path) -> OnlineStore:
    """Return the store of that kind for the project at `root`. Raises NotFound."""
    store: OnlineStore = plugins.load("mlops.online_stores", kind)(root)
    return store


def key(entity: Sequence[Any]) -> str:
    """Return the one text by which stores know an entity: `["AA","JFK"]`."""
    return _ENCODER.encode(list(entity))


def judged(values: tuple[Any, ...], known: int, at: int, ttl: int | None) -> Found:
    """Return `values`, known since `known`, as they may be seen at `at`."""
    if known > at:
        return Found((None,) * len(values), "later")
    if ttl is not None and at - known > ttl:
        return Found((None,) * len(values), "expired")
    return Found(values)


def not_materialized(view: str) -> NotFound:
    """Return the error for a view that the online store does not hold."""
    return NotFound(
        f"features.{view} is not in the online store",
        code="not-materialized",
        hint=f"mlops feature materialize {view}",
        details={"view": view},
    )
