"""Three-way merge of plain values: mappings field by field, all else as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_cli.errors import StateRefused

MISSING: Any = object()  # what a side has where it has nothing


def pick(base: Any, ours: Any, theirs: Any) -> tuple[Any] | None:
    """Return the one value that no side contradicts, None where both changed it apart."""
    if _same(ours, theirs) or _same(base, theirs):
        return (ours,)
    return (theirs,) if _same(base, ours) else None


def merge_values(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
    """Return the merge with our side of each conflict, with theirs, and the fields in conflict.

    Fields keep the order they have in ours; those that only theirs has come last.
    """
    left: dict[str, Any] = {}
    right: dict[str, Any] = {}
    conflicts: list[str] = []
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        sides = [side.get(name, MISSING) for side in (base, ours, theirs)]
        found = pick(*sides)
        if found is not None:
            mine = others = found[0]
        elif isinstance(sides[1], Mapping) and isinstance(sides[2], Mapping):
            inner = sides[0] if isinstance(sides[0], Mapping) else {}
            mine, others, below = merge_values(inner, sides[1], sides[2])
            conflicts += [f"{name}.{one}" for one in below]
        else:
            _, mine, others = sides
            conflicts.append(name)
        if mine is not MISSING:
            left[name] = mine
        if others is not MISSING:
            right[name] = others
    return left, right, tuple(conflicts)


def _same(one: Any, other: Any) -> bool:
    # 1 == True in Python, and not in a file
    return one is other or (type(one) is type(other) and bool(one == other))


def refuse_undecided(path: str, *sides: object) -> None:
    """Raise StateRefused ("undecided") where a side holds the conflict of an earlier merge."""
    if any(side is not None for side in sides):
        raise StateRefused(
            f"{path} holds the conflict of an earlier merge, which nobody has decided",
            code="undecided",
            hint="on the branch that has it: mlops merge --ours or --theirs, commit, merge again",
            details={"file": path},
        )
