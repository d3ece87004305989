"""Where the nodes of a graph stand when it is drawn: causes left, effects right, few crossings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_ROUNDS = 4


def layout(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Return node → (column, row). `nodes` come causes first; an edge that runs back is let be.

    A node stands one column after the last of its causes; within a column nodes are sorted by
    the mean row of their neighbours, to and fro (Sugiyama's barycentres).
    """
    place = {name: at for at, name in enumerate(nodes)}
    before: dict[str, list[str]] = {name: [] for name in nodes}
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        if place[source] < place[target]:
            before[target].append(source)
            after[source].append(target)
    column: dict[str, int] = {}
    for name in nodes:
        column[name] = max((column[cause] + 1 for cause in before[name]), default=0)
    for name in reversed(nodes):  # what has no cause moves to where it is needed
        if not before[name] and after[name]:
            column[name] = min(column[effect] for effect in after[name]) - 1
    columns: dict[int, list[str]] = {}
    for name in nodes:
        columns.setdefault(column[name], []).append(name)
    row = {name: at for each in columns.values() for at, name in enumerate(each)}
    ordered = sorted(columns)
    for turn in range(_ROUNDS):
        ways, path = (before, ordered) if turn % 2 == 0 else (after, ordered[::-1])
        for number in path:
            here = columns[number]
            mean = {
                name: sum(row[near] for near in ways[name]) / len(ways[name])
                if ways[name]
                else float(row[name])
                for name in here
            }
            here.sort(key=lambda name: (mean[name], row[name]))
            row.update({name: at for at, name in enumerate(here)})
    return {name: (column[name], row[name]) for name in nodes}
