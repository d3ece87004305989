"""Neighbours are read with one request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from mlops_cli.store.remotes.remote import PART
from mlops_cli.store.transfer.remote_index import Spot

GAP = 256 << 10  # reading so many unwanted bytes costs less than another request

Thing = TypeVar("Thing")
Stretch = list[tuple[Spot, Thing]]


def stretches(wanted: Iterable[tuple[Spot, Thing]]) -> Iterator[Stretch[Thing]]:
    """Yield what is `wanted` in groups that lie together in one file; one longer than a request
    should be stands alone."""
    group: Stretch[Thing] = []
    for one in sorted(wanted, key=lambda found: found[0]):
        if group and not _together(group[0][0], group[-1][0], one[0]):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def bounds(stretch: Stretch[Thing]) -> tuple[str, int, int]:
    """Return the file of a stretch, and from where to where it reaches."""
    first = stretch[0][0]
    return first.name, first.offset, max(spot.offset + spot.length for spot, _ in stretch)


def _together(head: Spot, former: Spot, spot: Spot) -> bool:
    return (
        head.name == spot.name
        and spot.offset - (former.offset + former.length) <= GAP
        and spot.offset + spot.length - head.offset <= PART
    )
