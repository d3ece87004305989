"""How large objects were cut when they were last pushed or fetched: only a memory.

It tells which chunks a remote must have for an object to be there, and which of the chunks that
are to be fetched lie in an object that is here.
"""

from __future__ import annotations

import contextlib

from mlops_cli.errors import IntegrityError, OutsideWorld
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.recipes import Recipe, RecipeStore, write_recipe


def remember(cache: Cache, digest: Digest, recipe: Recipe) -> None:
    """Keep how the object was cut."""
    store = _store(cache)
    if not store.has(digest):
        with contextlib.suppress(OutsideWorld):  # a full disk is told where it matters
            store.put(digest, write_recipe(recipe), durable=False)


def remembered(cache: Cache, digest: Digest) -> Recipe | None:
    """Return how the object was cut, if that is known; whether it is true is not checked."""
    try:
        return _store(cache).get(digest)
    except IntegrityError:  # torn: what is not flushed may be lost with the power
        _store(cache).remove(digest)
        return None


def forget(cache: Cache, digest: Digest) -> None:
    """Forget how an object was cut that nobody needs any more."""
    _store(cache).remove(digest)


def latest(cache: Cache) -> list[Digest]:
    """Return the objects of which it is known how they were cut, the latest first."""
    store = _store(cache)
    found = []
    for digest in store.iterate():
        with contextlib.suppress(FileNotFoundError):
            found.append((store.path(digest).stat().st_mtime_ns, digest))
    return [digest for _, digest in sorted(found, reverse=True)]


def _store(cache: Cache) -> RecipeStore:
    return RecipeStore(cache.root / "cuts")
