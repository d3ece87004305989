"""A close look at what lies in the cache: one pack, one large object, one folded one at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.errors import IntegrityError
from mlops_cli.progress import Task
from mlops_cli.store import cold, frames, hashing, pack_index, packs
from mlops_cli.store.cache import Cache
from mlops_cli.store.care.course import Flaw, Level, Outcome, Unit
from mlops_cli.store.chunks import MOST
from mlops_cli.store.digest import PREFIX, Digest
from mlops_cli.store.objects import listing
from mlops_cli.store.packs import PackStore

OBJECTS, PACKS, COLD, RECIPES = "objects/", "packs/", "cold/packs/", "cold/recipes/"


@dataclass(frozen=True, slots=True)
class Examiner:
    """Looks at the units of one cache as closely as `level` says; wrong bytes are set aside."""

    cache: Cache
    level: Level
    task: Task

    def units(self) -> Iterator[Unit]:
        """Yield all there is to look at."""
        root = self.cache.root
        for inside in (PACKS, COLD):
            for name in listing(root / inside):
                pack = root / inside / name
                if pack.suffix == ".pack" and pack.with_suffix(".idx").exists():
                    yield Unit(inside + pack.stem, _size(pack))
        for digest in self.cache.objects.iterate():
            yield Unit(OBJECTS + digest.hex, self.cache.objects.size(digest) or 0)
        folded = cold.open_cold(root).recipes
        for digest in folded.iterate():
            yield Unit(RECIPES + digest.hex, folded.size(digest) or 0)

    def look(self, unit: Unit) -> Outcome:
        """Return how `unit` was found."""
        inside, _, name = unit.name.rpartition("/")
        look: Callable[[str], Outcome] = {
            OBJECTS: self._object,
            PACKS: self._pack,
            COLD: self._cold_pack,
            RECIPES: self._folded,
        }[inside + "/"]
        outcome = look(name)
        if self.level != "bytes":
            self.task.advance(unit.size)
        return outcome

    def _object(self, name: str) -> Outcome:
        digest = Digest(PREFIX + name)
        if self.level != "bytes":
            return Outcome(1)
        try:
            found, size = hashing.hash_file(self.cache.objects.path(digest))
        except FileNotFoundError:
            return Outcome()  # set aside or collected under our hands by another process
        self.task.advance(size)
        if found == digest:
            return Outcome(1, size)
        self.cache.set_aside(digest)
        return Outcome(1, size, (digest,))

    def _folded(self, name: str) -> Outcome:
        digest, store = Digest(PREFIX + name), cold.open_cold(self.cache.root)
        state, size = hashlib.sha256(), 0
        try:
            if self.level == "bytes":
                for piece in store.pieces(digest):
                    state.update(piece)
                    size += len(piece)
                    self.task.advance(len(piece))
                if state.digest() == digest.raw:
                    return Outcome(1, size)
            else:
                recipe = store.recipes.get(digest)
                if all(store.packs.find(chunk.raw) for chunk in recipe or ()):
                    return Outcome(1)
        except (LookupError, IntegrityError):
            pass  # a chunk is gone or wrong, or the recipe is
        if not store.has(digest):
            return Outcome()
        store.forget(digest)
        self.cache.objects.quarantine(digest, b"")
        return Outcome(1, size, (digest,))

    def _pack(self, name: str) -> Outcome:
        def drop(raw: bytes, data: bytes, pack: Path) -> None:
            self.cache.set_aside(Digest.from_raw(raw), data, pack)

        return self._packed(self.cache.packs, name, _same, drop)

    def _cold_pack(self, name: str) -> Outcome:
        store = cold.open_cold(self.cache.root).packs
        # a chunk is no object: the recipes that need it are looked at afterwards, and miss it
        outcome = self._packed(store, name, _in_frame, lambda raw, _, pack: store.drop(raw, pack))
        return Outcome(flaws=outcome.flaws)

    def _packed(
        self,
        store: PackStore,
        name: str,
        right: Callable[[bytes, bytes], bool],
        drop: Callable[[bytes, bytes, Path], object],
    ) -> Outcome:
        pack = store.folder / f"{name}.pack"
        try:
            index = pack.with_suffix(".idx").read_bytes()
            handle = os.open(pack, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return Outcome()
        try:
            flaws = tuple(Flaw(f"packs/{name}", why) for why in _flaws(index, name, handle))
            if pack_index.index_name(index) != name or not pack_index.well_formed(index):
                return Outcome(flaws=flaws)  # nothing is set aside because a wrong index says so
            rows = sorted((at, length, raw) for raw, at, length in pack_index.index_rows(index))
            if self.level == "metadata":
                return Outcome(len(rows), flaws=flaws)
            end, read, wrong = os.fstat(handle).st_size, 0, []
            for at, length, raw in rows:
                data = b""
                if at + length <= end:  # else it was cut off
                    head = os.pread(handle, packs.RECORD.size, max(at - packs.RECORD.size, 0))
                    if self.level == "sizes" and head == packs.RECORD.pack(raw, length):
                        continue
                    data = os.pread(handle, length, at)
                    read += length
                    self.task.advance(length)
                    if right(raw, data):
                        continue
                wrong.append(Digest.from_raw(raw))
                drop(raw, data, pack)
            return Outcome(len(rows), read, tuple(wrong), flaws)
        finally:
            os.close(handle)


def _same(raw: bytes, data: bytes) -> bool:
    return hashlib.sha256(data).digest() == raw


def _in_frame(raw: bytes, data: bytes) -> bool:
    return frames.plain(raw, data, at_most=MOST) is not None


def _flaws(index: bytes, name: str, handle: int) -> Iterator[str]:
    """Yield what is wrong with a pack and its index before any object is looked at."""
    if os.pread(handle, len(packs.PACK_MAGIC), 0) != packs.PACK_MAGIC:
        yield "the pack does not begin with its header"
    if not pack_index.well_formed(index):
        yield "the index has not the shape of one: what it named is out of reach"
        return
    if pack_index.index_name(index) != name:
        yield "the index is not what its name says"
    end, reach = os.fstat(handle).st_size, len(packs.PACK_MAGIC)
    for at, length in sorted((at, length) for _, at, length in pack_index.index_rows(index)):
        if at + length > end:
            yield "the index promises bytes beyond the end of the pack"
            return
        if at < reach + packs.RECORD.size:
            yield "the index lets objects and their heads share bytes"
            return
        reach = at + length


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
