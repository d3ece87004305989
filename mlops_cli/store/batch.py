"""Many small objects stored at once: into one pack, or whole when they are few."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.store.condemned import Condemned
from mlops_cli.store.digest import Digest
from mlops_cli.store.objects import ObjectStore, listing
from mlops_cli.store.packer import Packer
from mlops_cli.store.packs import PACK_BELOW, PackStore

LOOSE_UP_TO = 16  # so few small objects at once do not make a pack of their own


class BatchWriter:
    """Small objects on their way into one pack; few of them stay whole objects."""

    def __init__(
        self, root: Path, objects: ObjectStore, packs: PackStore, *, pack_always: bool = False
    ) -> None:
        self.root, self.objects, self.packs = root, objects, packs
        self.packer = Packer(root)
        self._first: dict[bytes, bytes] | None = None if pack_always else {}
        # most shelves do not exist in a cache of small files, which spares asking for each object
        self._shelves = set(listing(root / "objects"))
        self._condemned = Condemned(root)

    def put(self, data: bytes) -> Digest:
        """Store `data` and return its digest; it may be read by others once the writer closed."""
        digest = Digest.of(data)
        self.add_raw(digest.raw, data)
        return digest

    def has_raw(self, raw: bytes) -> bool:
        """Return whether the object is in the cache or on its way there."""
        if self.packer.has(raw) or (self._first is not None and raw in self._first):
            return True
        if self.packs.find(raw, again=False) is not None or (
            raw[:1].hex() in self._shelves and self.objects.size(Digest.from_raw(raw)) is not None
        ):
            self.rely(raw)
            return True
        return False

    def rely(self, *raws: bytes) -> None:
        """Take note that the objects, which are here, are needed again; see `Condemned`."""
        self._condemned.rely(*raws)

    def add(self, digest: Digest, data: bytes) -> None:
        """Store `data`, whose digest the caller has just taken."""
        self.add_raw(digest.raw, data)

    def add_raw(self, raw: bytes, data: bytes) -> None:
        """Store `data`, whose digest the caller has just taken."""
        if not self.has_raw(raw):
            self.add_new(raw, data)

    def add_new(self, raw: bytes, data: bytes) -> None:
        """Do what `add_raw` does for an object that was just looked for and is not here."""
        if len(data) >= PACK_BELOW:
            self.objects.put(data, Digest.from_raw(raw))
        elif self._first is None:
            self.packer.add(raw, data)
        else:
            self._first[raw] = data
            if len(self._first) > LOOSE_UP_TO:
                for first, held in self._first.items():
                    self.packer.add(first, held)
                self._first = None

    def close(self) -> None:
        """Seal the pack, or store the few objects one by one."""
        for raw, data in (self._first or {}).items():
            self.objects.put(data, Digest.from_raw(raw))
        self.packer.seal()
