"""Where a merge reads listings from, and where it puts the new ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.patch import Shelf


@dataclass(frozen=True, slots=True)
class MergeShelf:
    """Listings come from `shelf`, which may ask a remote, and new ones go into the cache."""

    cache: Cache
    shelf: Shelf

    def read(self, wanted: set[Digest]) -> dict[Digest, bytes]:
        """Return the listings. Raises as `Listings.read` does."""
        return {digest: self.shelf.read(digest) for digest in sorted(wanted)}

    def keep(self, trees: Mapping[Digest, bytes]) -> None:
        """Store those of `trees` that are not here."""
        new = [digest for digest in trees if not self.cache.has(digest)]
        if new:
            with self.cache.writer() as writer:
                for digest in new:
                    writer.add(digest, trees[digest])

    def keep_all(self, listings: Iterable[Iterable[bytes]]) -> None:
        """Store listings of which only the bytes are known."""
        self.keep({Digest.of(data): data for made in listings for data in made})
