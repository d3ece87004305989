"""Cold storage: old large objects of the cache as recipes of chunks, which share what they share.

`cold/packs` holds the chunks, each as it is or as one zstd frame, `cold/recipes` says how objects
are made of them. Nothing else is kept here, and what is here is never linked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.errors import IntegrityError, OutsideWorld
from mlops_cli.store import frames
from mlops_cli.store.chunks import MOST, Chunk
from mlops_cli.store.digest import Digest
from mlops_cli.store.packs import PackStore
from mlops_cli.store.recipes import RecipeStore


@dataclass(frozen=True, slots=True)
class ColdStore:
    """The folder `cold/` of a cache."""

    root: Path
    packs: PackStore
    recipes: RecipeStore

    def has(self, digest: Digest) -> bool:
        """Return whether the object is folded in here."""
        return self.recipes.has(digest)

    def size(self, digest: Digest) -> int | None:
        """Return how many bytes the object has when unfolded, or None when it is not here."""
        return self.recipes.size(digest)

    def pieces(self, digest: Digest) -> Iterator[bytes | memoryview]:
        """Yield the bytes of the object chunk by chunk, each verified, until one is missing or
        wrong (which is then dropped): whether all have come, the digest of the whole tells.
        """
        try:
            recipe = self.recipes.get(digest)
        except IntegrityError:
            return
        for chunk in recipe or ():
            piece = self.piece(chunk)
            if piece is None:
                return
            yield piece

    def piece(self, chunk: Chunk) -> bytes | memoryview | None:
        """Return the bytes of a chunk, verified; None when it is not here, or was wrong."""
        while place := self.packs.find(chunk.raw):
            try:
                stored = self.packs.read(place)
            except FileNotFoundError:  # another process gave the pack a new name
                self.packs.forget(place.pack)
                continue
            data = frames.plain(chunk.raw, stored, at_most=MOST)
            if data is not None and len(data) == chunk.length:
                return data
            try:
                self.packs.drop(chunk.raw, place.pack)
            except (OSError, OutsideWorld):  # a cache that may only be read
                return None
        return None

    def iterate(self) -> Iterator[Digest]:
        """Yield the digests of all folded objects."""
        return self.recipes.iterate()

    def forget(self, digest: Digest) -> None:
        """Take an object that cannot be put together any more out of use."""
        self.recipes.remove(digest)


def open_cold(cache_root: Path) -> ColdStore:
    """Return the cold storage of a cache; folders are made when something is first folded."""
    root = cache_root / "cold"
    return ColdStore(root, PackStore(root), RecipeStore(root / "recipes"))
