"""Features that a request leaves out, looked up by the keys that it gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mlops_cli.errors import MlopsError
from mlops_cli.serving.metrics import Counters, series
from mlops_cli.serving.recipe import Recipe, View
from mlops_cli.serving.schema import Refused

_TYPES: dict[str, tuple[type, str]] = {
    "string": (str, "a string"),
    "int": (int, "an integer"),
    "bool": (bool, "true or false"),
}
_WHY = {
    "unknown": "nobody has seen {}",
    "expired": "what is known of {} is too old",
    "later": "what is known of {} became known only later",
}


class Found(Protocol):
    """Values in the order of the columns that were asked for, and why they are not there."""

    @property
    def values(self) -> tuple[Any, ...]: ...
    @property
    def missing(self) -> str | None: ...


class Store(Protocol):
    """The part of an online store that a server needs; see `mlops.online_stores`."""

    def read(
        self,
        view: str,
        entities: Sequence[Sequence[Any]],
        *,
        at: Sequence[int],
        ttl: int | None,
        columns: Sequence[str],
    ) -> Sequence[Found]: ...


@dataclass(frozen=True, slots=True)
class Lookup:
    """The views that a model needs. `keys` are no inputs of it and leave the row again."""

    store: Store
    views: tuple[View, ...]
    refuse: bool
    keys: tuple[str, ...]
    counters: Counters

    def complete(self, rows: Sequence[Any], times: Sequence[int]) -> None:
        """Put into each row the features that it lacks, as known at its time; what a row says
        itself counts. Raises Refused (400) for a bad key, and for a missing entity where the
        deployment says so; (503) when the store does not answer."""
        for view in self.views:
            columns = view.columns
            lacking = [
                place for place, row in enumerate(rows) if any(c not in row for c in columns)
            ]
            if lacking:
                self._fill(view, rows, lacking, [times[place] for place in lacking])
        for name in self.keys:
            for row in rows:
                row.pop(name, None)

    def _fill(self, view: View, rows: Sequence[Any], lacking: list[int], times: list[int]) -> None:
        entities = [_key(view, rows[place], place) for place in lacking]
        try:
            found = self.store.read(
                view.name, entities, at=times, ttl=view.ttl, columns=view.columns
            )
        except MlopsError as exc:
            raise Refused(exc.message, 503) from exc
        for place, entity, answer in zip(lacking, entities, found, strict=True):
            if answer.missing is not None:
                self.counters.add(
                    series("mlops_features_missing_total", view=view.name, why=answer.missing)
                )
                if self.refuse:
                    whom = ", ".join(map(str, entity))
                    why = _WHY[answer.missing].format(f"{view.name} of {whom}")
                    raise Refused(f"row {place}: {why}")
            row = rows[place]
            for name, value in zip(view.columns, answer.values, strict=True):
                row.setdefault(name, value)


def of(recipe: Recipe, store: Store, inputs: Iterable[str], counters: Counters) -> Lookup:
    """Return what the recipe means for a model with these inputs."""
    names = frozenset(inputs)
    views = []
    for view in recipe.views:
        columns = tuple(column for column in view.columns if column in names)
        if columns:
            views.append(View(view.name, view.entity, columns, view.ttl))
    keys = dict.fromkeys(key for view in recipe.views for key in view.entity if key not in names)
    return Lookup(store, tuple(views), recipe.missing == "refuse", tuple(keys), counters)


def _key(view: View, row: dict[str, Any], place: int) -> tuple[Any, ...]:
    found = []
    for name, kind in view.entity.items():
        if name not in row:
            raise Refused(f"row {place}: {name!r} is missing, by which {view.name} is looked up")
        value = row[name]
        wanted, spoken = _TYPES[kind]
        if value is not None and type(value) is not wanted:
            raise Refused(f"row {place}: {name!r} takes {spoken}")
        found.append(value)
    return tuple(found)
