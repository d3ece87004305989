"""What a push sends: packs of small objects and of chunks, then the files that name them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.progress import Task
from mlops_cli.store import cuts, frames, packs, remote_index
from mlops_cli.store.cache import Cache
from mlops_cli.store.chunk_table import ChunkTable, chunk_table
from mlops_cli.store.closure import Reached
from mlops_cli.store.digest import Digest
from mlops_cli.store.recipes import ROW, Recipe, write_recipe
from mlops_cli.store.remote import PART, Remote
from mlops_cli.store.remote_index import RemoteIndex
from mlops_cli.store.slicing import BLOCK, Slicer

PACK_BYTES = BLOCK  # a pack is built in memory, one for each lane, and sent as one
NAME_AFTER_BYTES = 128 << 20  # so much is lost at most when a push is killed,
NAME_AFTER_SECONDS = 30.0  # and so much of a slow line
NAME_AFTER_OBJECTS = 256

Items = list[tuple[bytes, bytes | memoryview]]


@dataclass(slots=True)
class Sent:
    """What a push did."""

    objects: int = 0
    bytes: int = 0
    packs: int = 0
    damaged: list[Reached] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Recipe:
    part: Reached
    recipe: Recipe
    due: int  # it may be named when all packs up to this one are


@dataclass
class Sender:
    """Sends for one push. Its jobs run in many threads; what they come from, in one."""

    cache: Cache
    remote: Remote
    index: RemoteIndex
    task: Task
    everything: bool = False  # also what the remote says it has
    compress: bool = False
    sent: Sent = field(default_factory=Sent)
    names: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pending: Items = field(default_factory=list)  # for the pack `_waiting`
    _pending_bytes: int = 0
    _waiting: int = 0
    _taken: set[bytes] = field(default_factory=set)  # in this push
    _packs: int = 0  # numbered as they are begun
    _unnamed: dict[int, tuple[bytes, int] | None] = field(default_factory=dict)  # once sent
    _recipes: list[_Recipe] = field(default_factory=list)
    _whole: list[Reached] = field(default_factory=list)  # sent, and not yet in an index file
    _named: float = field(default_factory=time.monotonic)  # when it last was

    @cached_property
    def _there(self) -> ChunkTable:
        return chunk_table(self.index)

    def jobs(
        self, small: Iterable[Reached], sliced: Iterable[Reached], whole: Iterable[Reached]
    ) -> Iterator[Callable[[], None]]:
        """Yield the work: what goes as it is, what goes in chunks, and what goes alone.

        Packs are filled in this order: the same objects give the same packs again.
        """
        for part in small:
            yield from self._small(part)
        with Slicer() as slicer:
            for part in sliced:
                yield from self._sliced(slicer, part)
        yield from self._flush()
        for part in whole:
            yield lambda part=part: self._send_whole(part)  # type: ignore[misc]

    def settle(self) -> None:
        """Name all that was sent and is not named yet."""
        self._name(at_least=1)

    def _small(self, part: Reached) -> Iterator[Callable[[], None]]:
        try:
            data = self.cache.read(part.digest)  # verified here, and never sent otherwise
        except (IntegrityError, NotFound):
            self.sent.damaged.append(part)
            return
        if part.digest.raw not in self._taken:
            self._taken.add(part.digest.raw)
            self._pend(part.digest.raw, data)
        self.sent.objects += 1
        self.task.advance(len(data))
        yield from self._flush(at_least=PACK_BYTES)

    def _sliced(self, slicer: Slicer, part: Reached) -> Iterator[Callable[[], None]]:
        found: list[Digest] = []
        rows, size = bytearray(), 0
        try:
            with contextlib.closing(self.cache.stream(part.digest)) as source:
                for piece in slicer.slices(source, found.append):
                    new: Items = []
                    for chunk, data in piece.chunks:
                        rows += ROW.pack(*chunk)
                        size += chunk.length
                        self.task.advance(chunk.length)
                        if self._lacks(chunk.raw):
                            new.append((chunk.raw, data))
                    if sum(len(data) for _, data in new) >= BLOCK // 2:
                        yield self._pack(self._begin(), new, piece.release)
                        continue
                    for raw, view in new:
                        self._pend(raw, bytes(view))
                    piece.release()
                    yield from self._flush(at_least=PACK_BYTES)
        except (IntegrityError, NotFound):
            self.sent.damaged.append(part)
            return
        if found != [part.digest]:
            # its chunks are what their names say, and no recipe will speak of them
            self.cache.set_aside(part.digest)
            self.sent.damaged.append(part)
            return
        recipe = Recipe(size, bytes(rows))
        cuts.remember(self.cache, part.digest, recipe)
        with self._lock:
            self._recipes.append(_Recipe(part, recipe, self._packs))

    def _lacks(self, raw: bytes) -> bool:
        if raw in self._taken or (not self.everything and self._there.spots(raw)):
            return False
        self._taken.add(raw)
        return True

    def _pend(self, raw: bytes, data: bytes) -> None:
        if not self._pending:
            self._waiting = self._begin()
        self._pending.append((raw, data))
        self._pending_bytes += len(data)

    def _flush(self, *, at_least: int = 0) -> Iterator[Callable[[], None]]:
        if self._pending and self._pending_bytes >= at_least:
            items, self._pending, self._pending_bytes = self._pending, [], 0
            yield self._pack(self._waiting, items, lambda: None)

    def _begin(self) -> int:
        self._packs += 1
        with self._lock:
            self._unnamed[self._packs] = None
        return self._packs

    def _pack(self, number: int, items: Items, release: Callable[[], None]) -> Callable[[], None]:
        return lambda: self._send_pack(number, items, release)

    def _send_pack(self, number: int, items: Items, release: Callable[[], None]) -> None:
        try:
            if self.compress:
                items = [(raw, frames.squeeze(data)) for raw, data in items]
            size = sum(len(data) for _, data in items)
            index, pieces = _pack_of(items)
            name = remote_index.pack_name(packs.index_name(index))
            self.remote.write(name, pieces, replace=self.everything)
        finally:
            release()
        with self._lock:
            self._unnamed[number] = (index, size)
            self.sent.packs += 1
            self.sent.bytes += size
        self._name(at_least=NAME_AFTER_OBJECTS)

    def _send_whole(self, part: Reached) -> None:
        try:
            with (
                self.cache.open(part.digest) as source,
                self.remote.writing(remote_index.object_name(part.digest), part.size) as target,
            ):
                while piece := source.read(PART):
                    target.write(piece)
                    self.task.advance(len(piece))
        except (IntegrityError, NotFound):
            # raised at the end of the stream, inside the block: the remote never gave it a name
            with self._lock:
                self.sent.damaged.append(part)
            return
        with self._lock:
            self.sent.objects += 1
            self.sent.bytes += part.size
            self._whole.append(part)
        self._name(at_least=NAME_AFTER_OBJECTS)

    def _name(self, *, at_least: int) -> None:
        """Publish the index of what has arrived, when that is much or many; packs come before
        the recipes that need them."""
        with self._lock:
            if time.monotonic() - self._named > NAME_AFTER_SECONDS:
                at_least, self._named = 1, time.monotonic()
        self._name_packs(at_least)
        self._name_recipes(at_least)
        with self._lock:
            size = sum(part.size for part in self._whole)
            if not _due(len(self._whole), size, at_least):
                return
            ready, self._whole = self._whole, []
        index = packs.write_index({part.digest.raw: (0, part.size) for part in ready})
        self._publish(packs.index_name(index) + remote_index.WHOLE, index)

    def _name_packs(self, at_least: int) -> None:
        with self._lock:
            ready = {number: arrived for number, arrived in self._unnamed.items() if arrived}
            if not _due(len(ready), sum(size for _, size in ready.values()), at_least):
                return
            self._unnamed.update(dict.fromkeys(ready))  # no other thread takes them
        indices = b"".join(ready[number][0] for number in sorted(ready))
        self._publish(sha256(indices).hexdigest() + remote_index.PACKED, indices)
        with self._lock:
            for number in ready:
                del self._unnamed[number]

    def _name_recipes(self, at_least: int) -> None:
        with self._lock:
            first = min(self._unnamed, default=self._packs + 1)
            ready = [recipe for recipe in self._recipes if recipe.due < first]
            if not _due(len(ready), sum(recipe.part.size for recipe in ready), at_least):
                return
            self._recipes = [recipe for recipe in self._recipes if recipe.due >= first]
        index, body = _pack_of([(one.part.digest.raw, write_recipe(one.recipe)) for one in ready])
        stem = packs.index_name(index)
        self.remote.write(remote_index.recipes_name(stem), b"".join(body))
        self._publish(stem + remote_index.RECIPES, index)
        with self._lock:
            self.sent.objects += len(ready)

    def _publish(self, name: str, data: bytes) -> None:
        self.remote.write(f"index/{name}", data)
        fsio.write_atomic(self.index.folder / "index" / name, data, durable=False)
        with self._lock:
            self.names.add(name)


def _due(count: int, size: int, at_least: int) -> bool:
    return count > 0 and (count >= at_least or size >= NAME_AFTER_BYTES)


def _pack_of(items: Items) -> tuple[bytes, list[bytes | memoryview]]:
    """Return the index of a pack of `items`, and the pieces of the pack."""
    rows: dict[bytes, tuple[int, int]] = {}
    pieces: list[bytes | memoryview] = [packs.PACK_MAGIC]
    end = len(packs.PACK_MAGIC)
    for raw, data in items:
        pieces += (packs.RECORD.pack(raw, len(data)), data)
        rows[raw] = (end + packs.RECORD.size, len(data))
        end += packs.RECORD.size + len(data)
    return packs.write_index(rows), pieces
