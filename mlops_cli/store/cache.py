"""The cache as one thing: whole objects and packs behind one door that verifies what it serves."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError, NotFound, OutsideWorld
from mlops_cli.store import hashing, lease
from mlops_cli.store.batch import BatchWriter
from mlops_cli.store.cold import ColdStore, open_cold
from mlops_cli.store.condemned import Condemned
from mlops_cli.store.damage import damaged, damaged_there
from mlops_cli.store.digest import Digest
from mlops_cli.store.hashing import Tick
from mlops_cli.store.objects import ObjectStore, listing
from mlops_cli.store.packs import PACK_BELOW, PackStore, Place
from mlops_cli.store.streams import Pieces, ToTheEnd, Verified
from mlops_cli.store.tier import Tier, pieces

__all__ = ["PACK_BELOW", "BatchWriter", "Cache", "open_cache"]

_ABANDONED_AFTER = 3600.0  # seconds since anything was written to it
_COPIES = 16  # of one object in different packs; concurrent writers may leave a few


@dataclass(frozen=True, slots=True)
class Cache:
    """What has been stored on this disk, by digest."""

    root: Path
    objects: ObjectStore
    packs: PackStore
    cold: ColdStore
    tiers: tuple[Tier, ...] = ()  # looked into last, hashed as all else, never written

    def has(self, digest: Digest) -> bool:
        """Return whether an object of that name is here."""
        return self.packs.find(digest.raw) is not None or self._unpacked(digest)

    def has_raw(self, raw: bytes) -> bool:
        """Return what `has` does, for the 32 bytes of a digest."""
        return self.packs.find(raw) is not None or self.has(Digest.from_raw(raw))

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Return those of `digests` that are not here."""
        return {digest for digest in set(digests) if not self.has(digest)}

    def lacking(self, raws: set[bytes]) -> set[bytes]:
        """Return those of `raws` that are not here; quicker than `has_raw` where there are many."""
        left = set(raws)
        self.packs.discard(left)
        asked = left
        if left and not self.tiers:
            # most shelves do not exist in a cache of small files, which spares asking
            shelves = {*listing(self.root / "objects"), *listing(self.cold.recipes.folder)}
            asked = {raw for raw in left if raw[:1].hex() in shelves}
        return left - {raw for raw in asked if self._unpacked(Digest.from_raw(raw))}

    def size(self, digest: Digest) -> int:
        """Return how many bytes the object has. Raises as `read` does when it is not here."""
        if place := self.packs.find(digest.raw):
            return place.length
        size = self.objects.size(digest)
        if size is None:
            size = self.cold.size(digest)
        for tier in self.tiers:
            size = tier.size(digest) if size is None else size
        if size is None:
            raise self.absent(digest)
        return size

    def read(self, digest: Digest) -> bytes:
        """Return the bytes of an object.

        Raises IntegrityError ("damaged-object") when they are not what their name says (they are
        then set aside), NotFound ("missing-object") when they are not here.
        """
        raw = digest.raw
        for _ in range(_COPIES):
            place = self.packs.find(raw)
            if place is None:
                break
            data = self._packed(place)
            if data is None:
                continue
            if hashlib.sha256(data).digest() == raw:
                return data
            if not self.set_aside(digest, data, place.pack):
                raise damaged(digest)
        try:
            with io.FileIO(self.objects.open(digest)) as whole:
                data = whole.readall()
        except FileNotFoundError:
            return b"".join(self.unfolded(digest))
        if hashlib.sha256(data).digest() != raw:
            self.set_aside(digest)
            raise damaged(digest)
        return data

    def read_many(self, raws: Sequence[bytes]) -> Iterator[tuple[int, bytes | memoryview]]:
        """Yield (position in `raws`, bytes) of each small object, neighbours on the disk together.

        Raises as `read` does, once all others have been read.
        """
        left = dict.fromkeys(range(len(raws)))
        for at, data in self.read_packed(raws):
            del left[at]
            yield at, data
        for at in left:  # whole, in a pack that has just come, or damaged
            yield at, self.read(Digest.from_raw(raws[at]))

    def read_packed(self, raws: Sequence[bytes]) -> Iterator[tuple[int, memoryview]]:
        """Yield (position in `raws`, bytes) of those that lie in packs and are right, neighbours
        together; what is left out is for `read`.
        """
        for at, data in self.packs.stretches(raws):
            if hashlib.sha256(data).digest() == raws[at]:
                yield at, data

    def open(self, digest: Digest) -> BinaryIO:
        """Return a stream over the object; at its end, bytes that are not right raise as in `read`.

        A caller that stops before the end hears of them from `close`, which reads the rest.
        """
        if self.packs.find(digest.raw):
            return io.BytesIO(self.read(digest))
        try:
            stream = io.FileIO(self.objects.open(digest))
        except FileNotFoundError:
            return cast(BinaryIO, ToTheEnd(Pieces(self.unfolded(digest)), 1 << 20))
        return cast(BinaryIO, ToTheEnd(Verified(stream, digest, self.objects), 1 << 20))

    def stream(self, digest: Digest) -> BinaryIO:
        """Return a stream over the object as it lies here: whoever reads it hashes it himself, and
        calls `set_aside` if it is not the one. Raises NotFound ("missing-object").
        """
        if self.packs.find(digest.raw):
            return io.BytesIO(self.read(digest))
        try:
            return cast(BinaryIO, io.FileIO(self.objects.open(digest)))
        except FileNotFoundError:
            return cast(BinaryIO, Pieces(self.unfolded(digest)))

    def unfolded(self, digest: Digest) -> Iterator[bytes | memoryview]:
        """Yield the bytes of an object kept as chunks or in a tier; raise at their end as `read`
        does."""
        if self.cold.has(digest):
            return self._pieces(digest)
        for tier in self.tiers:
            if tier.size(digest) is not None:
                return _from_tier(tier, digest)
        raise self.absent(digest)

    def copy_to(self, digest: Digest, path: Path) -> int:
        """Write the object to the new file `path` and return its length; nothing stays on failure.

        Raises as `read` does, OutsideWorld when the disk is full, and never replaces a file.
        """
        done = False
        with fsio.translated(path):
            target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                size = self.fill(digest, target)
                done = True
            finally:
                os.close(target)
                if not done:
                    os.unlink(path)
        return size

    def fill(
        self, digest: Digest, target: int, *, share: bool = True, tick: Tick = hashing.nothing
    ) -> int:
        """Fill the empty file behind the handle `target` with the object; return its length.

        With `share` the disk may share the blocks; `tick` is told the bytes of each piece.
        Raises as `read` does; what is in the file then is not to be used.
        """
        if self.packs.find(digest.raw):
            data = self.read(digest)
            fsio.write_all(target, data)
            tick(len(data))
            return len(data)
        try:
            source = self.objects.open(digest)
        except FileNotFoundError:
            if path := self._in_tier(digest):
                return _clone(self.objects, path, target, digest, tick)
            size = 0
            for piece in self.unfolded(digest):
                size += fsio.write_all(target, piece)
                tick(len(piece))
            return size
        try:
            found, size = (
                self.objects.clone(source, target, tick=tick)
                if share
                else hashing.copy_and_hash(source, target, tick=tick)
            )
        finally:
            os.close(source)
        if found != digest:
            self.set_aside(digest)
            raise damaged(digest)
        return size

    def put(self, data: bytes) -> Digest:
        """Store `data` and return its digest; storing it again costs no space."""
        digest = Digest.of(data)
        with self.writing() as condemned:
            if self._holds(digest):
                condemned.rely(digest.raw)
            else:
                self.objects.put(data, digest)
        return digest

    def put_file(self, path: Path) -> Digest:
        """Store the file at `path` and return its digest; large ones are read only once.

        Raises StateRefused ("file-changed") when it is gone, OutsideWorld ("cannot-read").
        """
        try:
            if os.stat(path).st_size < PACK_BELOW:
                return self.put(Path(path).read_bytes())
            with self.writing() as condemned:
                digest = self.objects.put_file(path)[0]
                condemned.rely(digest.raw)
            return digest
        except OSError as exc:
            raise hashing.unreadable(exc) from exc

    @contextlib.contextmanager
    def writing(self) -> Iterator[Condemned]:
        """Hold off the sweep of gc; what is found here is to be relied upon through what this
        offers. Whoever also holds it while naming what was stored is safe from gc without grace.
        """
        with lease.shared(self.root):
            self.packs.refresh()  # what was swept away meanwhile is not here
            yield Condemned(self.root)

    @contextlib.contextmanager
    def writer(self) -> Iterator[BatchWriter]:
        """Take many small objects into one pack, sealed at the end; an exception leaves nothing."""
        self._sweep()
        with self.writing():
            writer = BatchWriter(self.root, self.objects, self.packs)
            try:
                yield writer
                writer.close()
            finally:
                writer.packer.abandon()

    def iterate(self) -> Iterator[Digest]:
        """Yield the digests of all objects that are here, each once."""
        seen: set[bytes] = set()
        for source in (self.packs.iterate(), self.objects.iterate(), self.cold.iterate()):
            for digest in source:
                raw = digest.raw
                if raw not in seen:
                    seen.add(raw)
                    yield digest

    def absent(self, digest: Digest) -> IntegrityError | NotFound:
        """Return the error for an object that cannot be served: never here, or set aside."""
        if self.objects.aside(digest).exists():
            return damaged(digest)
        return NotFound(
            f"the object {digest} is not in the cache",
            code="missing-object",
            hint="mlops pull",
            details={"digest": digest},
        )

    def _holds(self, digest: Digest) -> bool:
        """Return whether the object is here, and not only in a tier, which belongs to others."""
        here = self.packs.find(digest.raw) is not None or self.objects.size(digest) is not None
        return here or self.cold.has(digest)

    def _unpacked(self, digest: Digest) -> bool:
        """Return whether the object is here or in a tier, but for the packs."""
        return (
            self.objects.size(digest) is not None
            or self.cold.has(digest)
            or any(tier.size(digest) is not None for tier in self.tiers)
        )

    def _in_tier(self, digest: Digest) -> Path | None:
        """Return the file in a tier that is the object, unless it is here as chunks."""
        if not self.cold.has(digest):
            for tier in self.tiers:
                if path := tier.path(digest):
                    return path
        return None

    def _sweep(self) -> None:
        """Remove what killed processes left: an hour old, for a process of another machine that
        shares this cache cannot be asked whether it lives."""
        for name in listing(self.root / "tmp"):
            path = self.root / "tmp" / name
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED_AFTER:
                    path.unlink()

    def set_aside(self, digest: Digest, data: bytes = b"", pack: Path | None = None) -> bool:
        """Take damaged bytes out of use; return whether this cache lets itself be changed."""
        try:
            if pack is None:
                self.objects.quarantine(digest)
                return True
            self.objects.quarantine(digest, data)
            for raw in self.packs.drop(digest.raw, pack):
                other = Digest.from_raw(raw)
                if other != digest and not self.has(other):
                    self.objects.quarantine(other, b"")  # so that it counts as damaged, not absent
        except (OSError, OutsideWorld):
            return False
        return True

    def _pieces(self, digest: Digest) -> Iterator[bytes | memoryview]:
        state = hashlib.sha256()
        for piece in self.cold.pieces(digest):
            state.update(piece)
            yield piece
        if state.digest() != digest.raw:
            with contextlib.suppress(OSError, OutsideWorld):  # a cache that may only be read
                self.objects.quarantine(digest, b"")  # so that it counts as damaged, not absent
                self.cold.forget(digest)
            raise damaged(digest)

    def _packed(self, place: Place) -> bytes | None:
        try:
            return self.packs.read(place)
        except FileNotFoundError:
            # another process gave the pack a new name, or somebody deleted it
            self.packs.forget(place.pack)
            return None


def open_cache(root: Path, tiers: tuple[Tier, ...] = ()) -> Cache:
    """Return the cache under `root`; folders are made when something is first stored."""
    return Cache(root, ObjectStore(root), PackStore(root), open_cold(root), tiers)


def _from_tier(tier: Tier, digest: Digest) -> Iterator[bytes]:
    state = hashlib.sha256()
    for piece in pieces(tier, digest):
        state.update(piece)
        yield piece
    if state.digest() != digest.raw:
        raise damaged_there(digest)


def _clone(objects: ObjectStore, path: Path, target: int, digest: Digest, tick: Tick) -> int:
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found, size = objects.clone(source, target, tick=tick)
    finally:
        os.close(source)
    if found != digest:
        raise damaged_there(digest)
    return size
