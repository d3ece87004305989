"""Mark: everything that is reachable from digests of which nobody says what they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import HEADER, parse_tree


@dataclass(slots=True)
class Marked:
    """What was reached, by raw digest, whether it is here or not."""

    reached: set[bytes] = field(default_factory=set)
    trees: set[bytes] = field(default_factory=set)
    asked: set[bytes] = field(default_factory=set)  # what was opened, or looked at to that end
    unopened: set[bytes] = field(default_factory=set)  # trees of which nobody can tell
    # what is below them: they are not here, or damaged


def mark(
    cache: Cache, roots: Iterable[bytes], trees: Iterable[bytes], marked: Marked | None = None
) -> Marked:
    """Return `marked`, or a new one, with all that `roots` lead to.

    Whether an object is a tree, its first bytes say; `trees` are those that are known to be some,
    which counts where they are not here. A file that looks like a tree keeps more than it must.
    """
    marked = marked or Marked()
    waiting = list(roots)
    for raw in trees:
        if cache.has_raw(raw):
            waiting.append(raw)
        else:
            marked.unopened.add(raw)
            marked.reached.add(raw)
    while waiting:
        raw = waiting.pop()
        if raw in marked.asked:
            continue
        marked.asked.add(raw)
        marked.reached.add(raw)
        digest = Digest.from_raw(raw)
        if not _looks_like_tree(cache, digest):
            continue
        try:
            entries = parse_tree(cache.read(digest))
        except (IntegrityError, NotFound):
            marked.unopened.add(raw)
            continue
        marked.trees.add(raw)
        for entry in entries:
            inner = entry.digest.raw
            if entry.mode != "dir":
                marked.reached.add(inner)
            elif cache.has_raw(inner):
                waiting.append(inner)
            else:
                marked.reached.add(inner)
                marked.unopened.add(inner)
    return marked


def _looks_like_tree(cache: Cache, digest: Digest) -> bool:
    """Return whether the object is here and begins like a tree."""
    try:
        place = cache.packs.find(digest.raw)
        if place is not None:
            if place.length < len(HEADER):
                return False
            return cache.packs.read(place._replace(length=len(HEADER))) == HEADER
        with cache.objects.path(digest).open("rb") as stream:
            return stream.read(len(HEADER)) == HEADER
    except FileNotFoundError:
        pass
    try:
        with cache.stream(digest) as stream:  # folded, in a tier, or its pack got a new name
            return stream.read(len(HEADER)) == HEADER
    except (IntegrityError, NotFound):
        return False
