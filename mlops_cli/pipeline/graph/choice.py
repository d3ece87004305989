"""Partitions by the words of a person: 2024-01-01, 2024-01..2024-02, 2024-02.., ..2024-01."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlops_cli.errors import NotFound
from mlops_cli.pipeline.words.document import meant


def chosen(names: Sequence[str], asked: str) -> list[str]:
    """Return those of the partitions `names`, in order, that `asked` means: A, A..B, A.., ..B.

    B is meant as a whole: 2024-02 ends with the last of February. Raises NotFound
    ("unknown-partition").
    """
    first, dots, last = asked.partition("..")
    if not dots:
        last = first
    listed = list(names)
    if listed != sorted(listed):
        ends = [first or listed[0], last or listed[-1]]
        if unknown := [one for one in ends if one not in listed]:
            raise _unknown(unknown[0], listed)
        begin, end = (listed.index(one) for one in ends)
        return listed[begin : end + 1]
    found = [
        name
        for name in listed
        if name >= first and (not last or name <= last or name.startswith(last))
    ]
    if not found:
        raise _unknown(asked, listed)
    return found


def _unknown(asked: str, known: Iterable[str]) -> NotFound:
    listed = list(known)
    near = meant(asked, listed) if len(listed) <= 10 else f"{listed[0]}..{listed[-1]} are there"
    return NotFound(f"there is no partition {asked}", code="unknown-partition", hint=near)
