"""An order in which each step comes after what it needs; a circle is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlops_cli.errors import ConfigError

Where = Callable[[str, str, str], str]  # step, field, value → "pipeline.yaml:12:5"


def in_order(before: Mapping[str, tuple[str, ...]], at: Where) -> list[str]:
    """Return the steps in the order of the file as far as their needs allow (Kahn)."""
    waiting = {name: len(set(first)) for name, first in before.items()}
    after: dict[str, list[str]] = {name: [] for name in before}
    for name, first in before.items():
        for earlier in set(first):
            after[earlier].append(name)
    place = {name: n for n, name in enumerate(before)}
    import heapq

    ready = [(place[name], name) for name, count in waiting.items() if count == 0]
    order: list[str] = []
    while ready:
        _, name = heapq.heappop(ready)
        order.append(name)
        for later in after[name]:
            waiting[later] -= 1
            if waiting[later] == 0:
                heapq.heappush(ready, (place[later], later))
    if len(order) < len(before):
        raise _circle(before, {name for name in before if name not in set(order)}, at)
    return order


def _circle(before: Mapping[str, tuple[str, ...]], left: set[str], at: Where) -> ConfigError:
    name = next(name for name in before if name in left)
    path: list[str] = []
    while name not in path:
        path.append(name)
        name = next(first for first in before[name] if first in left)
    circle = [*path[path.index(name) :], name][::-1]
    return ConfigError(
        f"{at(name, '', '')}: the steps wait for each other: {' → '.join(circle)}",
        code="cycle",
        hint="cut one of the dependencies",
        details={"steps": circle[:-1], "places": [at(step, "", "") for step in circle[:-1]]},
    )
