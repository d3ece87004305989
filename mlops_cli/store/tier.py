"""A tier: objects that lie elsewhere, are read as if they were here, and are never written."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from mlops_cli.store.digest import Digest
from mlops_cli.store.objects import ObjectStore
from mlops_cli.store.packs import PackStore

PIECE = 1 << 20


class Tier(Protocol):
    """What a cache asks of a tier. Nothing it says is believed: the cache hashes every byte."""

    def size(self, digest: Digest) -> int | None:
        """Return how many bytes the object has, or None when it is not there."""
        ...

    def open(self, digest: Digest) -> BinaryIO | None:
        """Return a stream over the object, or None when it is not there."""
        ...

    def path(self, digest: Digest) -> Path | None:
        """Return the file that is the whole object, or None where there is no such file."""
        ...


@dataclass(frozen=True, slots=True)
class CacheTier:
    """Another cache of the same layout, which belongs to whoever writes to it."""

    objects: ObjectStore
    packs: PackStore

    def size(self, digest: Digest) -> int | None:
        if place := self.packs.find(digest.raw):
            return place.length
        return self.objects.size(digest)

    def open(self, digest: Digest) -> BinaryIO | None:
        for _ in range(2):  # once more, when the pack got a new name in between
            place = self.packs.find(digest.raw)
            if place is None:
                break
            try:
                return io.BytesIO(self.packs.read(place))
            except FileNotFoundError:
                self.packs.refresh()
        path = self.path(digest)
        return None if path is None else path.open("rb")

    def path(self, digest: Digest) -> Path | None:
        path = self.objects.path(digest)
        return path if path.is_file() and os.access(path, os.R_OK) else None


def open_tier(root: Path) -> CacheTier:
    """Return the cache under `root` as a tier."""
    return CacheTier(ObjectStore(root), PackStore(root))


def pieces(tier: Tier, digest: Digest) -> Iterator[bytes]:
    """Yield the bytes of the object in `tier`; none where it is not there."""
    stream = tier.open(digest)
    if stream is None:
        return
    with stream:
        while piece := stream.read(PIECE):
            yield piece
