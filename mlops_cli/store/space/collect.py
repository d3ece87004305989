"""Collect: what nothing has needed for a while goes, if a remote holds it or a person says so.

Two looks apart by the grace period condemn an object and remove it. In between, whoever needs it
again names it, or spares it (`condemned`). Removal looks a last time, with all writers held off.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

from mlops_cli.errors import OutsideWorld
from mlops_cli.store import condemned, lease
from mlops_cli.store.cache import Cache
from mlops_cli.store.condemned import Moment
from mlops_cli.store.space import removal
from mlops_cli.store.space.mark import Marked, mark

Why = Literal["unpushed", "history", "unknown-trees"]

_DIGEST = re.compile(rb"sha256:([0-9a-f]{64})(?![0-9a-f])")
_TREE = re.compile(rb'"digest":\s*"sha256:([0-9a-f]{64})"[^{}]*?"kind":\s*"tree"')


@dataclass(frozen=True, slots=True)
class Named:
    """Raw digests that somebody names, and those of them that are known to be trees."""

    digests: frozenset[bytes] = frozenset()
    trees: frozenset[bytes] = frozenset()

    def __or__(self, other: Named) -> Named:
        return Named(self.digests | other.digests, self.trees | other.trees)

    def __sub__(self, raws: Set[bytes]) -> Named:
        return Named(self.digests - raws, self.trees - raws)


@dataclass(frozen=True, slots=True)
class Needs:
    """What is needed now, and what older commits name beside it."""

    now: Named = field(default_factory=Named)
    history: Named = field(default_factory=Named)

    def __or__(self, other: Needs) -> Needs:
        return Needs(self.now | other.now, self.history | other.history)


def names_in(data: bytes) -> Named:
    """Return every digest in the text `data`, whatever it says of it: what cannot be parsed, as a
    file with the marks of a conflict, still keeps all that it names."""
    digests = frozenset(bytes.fromhex(hex.decode()) for hex in _DIGEST.findall(data))
    trees = frozenset(bytes.fromhex(hex.decode()) for hex in _TREE.findall(data))
    return Named(digests, trees)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to happen. Objects by raw digest, with their bytes."""

    sizes: Mapping[bytes, int]  # all that is in the cache
    ripe: Mapping[bytes, int]  # goes
    young: Mapping[bytes, int]  # unneeded, and its grace is not over
    refused: Mapping[bytes, tuple[int, Why]]  # would go, if it were safe elsewhere
    unopened: frozenset[bytes]
    marked: Marked
    since: Mapping[bytes, int]

    @property
    def needed(self) -> tuple[int, int]:
        """How many objects are needed, and their bytes."""
        kept = self.sizes.keys() - self.since.keys()
        return len(kept), sum(self.sizes[raw] for raw in kept)


def plan(
    cache: Cache,
    needs: Needs,
    *,
    now: Moment,
    grace: int,
    held: Callable[[Set[bytes]], Set[bytes]],
    unpushed: bool = False,
    named: Set[bytes] = frozenset(),
    dry_run: bool = False,
) -> Outlook:
    """Look for what nothing needs and say what may go now; `dry_run` does not count as a look.

    `held` is asked which objects a remote holds; `unpushed` lets go what none holds and no commit
    names, `named` what a person names. Whoever calls this without `dry_run` holds
    `removal.alone`.
    """
    marked = mark(cache, needs.now.digests, needs.now.trees)
    history = mark(cache, needs.history.digests, needs.history.trees)
    sizes = removal.sizes(cache)
    with contextlib.ExitStack() as stack:
        if not dry_run:  # so that no writer is between two of its questions
            stack.enter_context(lease.exclusive(cache.root))
        spared = mark(cache, condemned.spared(cache.root), ())  # a tree, with all below it
        unneeded = sizes.keys() - marked.reached - spared.reached
        since = condemned.aged(cache.root, unneeded, now)
        if not dry_run:
            with contextlib.suppress(OutsideWorld):  # a full disk: the former look still counts
                condemned.looked(cache.root, since, sizes, now)
    ripe = {raw for raw, moment in since.items() if now.calendar - moment >= grace}
    unopened = marked.unopened | history.unopened
    safe = set(held(ripe | unopened)) if ripe else set()
    unopened -= safe
    refused: dict[bytes, tuple[int, Why]] = {}
    for raw in ripe - safe - named:
        if raw in history.reached:
            refused[raw] = (sizes[raw], "history")
        elif not unpushed:
            refused[raw] = (sizes[raw], "unpushed")
        elif unopened:
            refused[raw] = (sizes[raw], "unknown-trees")
    return Outlook(
        sizes,
        {raw: sizes[raw] for raw in ripe - refused.keys()},
        {raw: sizes[raw] for raw in unneeded - ripe},
        refused,
        frozenset(unopened),
        marked,
        since,
    )


def sweep(
    cache: Cache, outlook: Outlook, *, again: Callable[[], Needs], merge: bool = False
) -> dict[bytes, int]:
    """Remove what is ripe and return it with its bytes. `again` is asked what is needed once
    more when no writer is at work: what came to be needed meanwhile stays.

    Whoever calls this holds `removal.alone`.
    """

    def saved() -> Set[bytes]:
        needs, found = again(), outlook.marked
        mark(cache, needs.now.digests | condemned.spared(cache.root), needs.now.trees, found)
        return found.reached & outlook.ripe.keys()

    if not outlook.ripe and not merge:
        removal.sweep_leftovers(cache)
        return {}
    gone = removal.remove(cache, outlook.ripe.keys(), saved=saved, merge=merge)
    left = {raw: moment for raw, moment in outlook.since.items() if raw not in gone}
    with contextlib.suppress(OutsideWorld):  # objects that are gone do no harm in it
        condemned.save(cache.root, left, outlook.sizes)
    return {raw: outlook.ripe[raw] for raw in gone}
