"""A small note that many clones change, and how a change of several went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """What stands under a name: the id of the git object, and the text."""

    id: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """From `old` (an id; None: nothing stands there) to `new` (a text; None: nothing)."""

    old: str | None
    new: bytes | None


@dataclass(frozen=True, slots=True)
class Changed:
    """How a change of several notes went: all of them or none. `in_the_way`: names that were
    not as expected, where git told which."""

    done: bool
    ids: Mapping[str, str]
    in_the_way: frozenset[str] = frozenset()
