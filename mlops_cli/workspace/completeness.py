"""Which roots were found whole in the cache, remembered until the cache changes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest

NAME = "complete.json"


@dataclass(slots=True)
class Complete:
    """Roots of which every object is here, as long as the cache looks like `signature`."""

    signature: list[int]
    roots: set[Digest] = field(default_factory=set)
    former: frozenset[Digest] = frozenset()


def load(cache: Cache) -> Complete:
    """Return what is remembered; nothing when an object came or went since."""
    signature = _signature(cache)
    try:
        value = json.loads((cache.root / NAME).read_bytes())
        if value["signature"] == signature:
            roots = {Digest.parse(text) for text in value["roots"]}
            return Complete(signature, roots, frozenset(roots))
    except Exception:  # only a memory: without it, the trees are opened again
        pass
    return Complete(signature)


def learn(cache: Cache, roots: Iterable[Digest]) -> None:
    """Remember that `roots` have just been stored as a whole."""
    known = load(cache)
    known.roots.update(roots)
    save(cache, known)


def save(cache: Cache, complete: Complete) -> None:
    """Remember `complete` for the next command, unless it is known already."""
    if complete.roots != complete.former and _signature(cache) == complete.signature:
        state = {"signature": complete.signature, "roots": sorted(complete.roots)}
        fsio.write_atomic(cache.root / NAME, json.dumps(state), durable=False)


def _signature(cache: Cache) -> list[int]:
    """Return when each folder of objects last gained or lost a name, and how many tiers there are.

    What goes from a tier is noticed when it is read.
    """
    root = cache.root
    folders = [root / "packs", root / "quarantine", root / "cold/packs"]
    for shelf in (root / "objects", root / "cold/recipes"):
        try:
            with os.scandir(shelf) as listing:
                folders += sorted(Path(item.path) for item in listing)
        except FileNotFoundError:
            pass
    times = [len(cache.tiers)]
    for folder in folders:
        try:
            times.append(folder.stat().st_mtime_ns)
        except FileNotFoundError:
            times.append(0)
    return times
