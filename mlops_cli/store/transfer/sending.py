"""What a push sends: packs of small objects and of chunks, then the files that name them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.progress import Task
from mlops_cli.store import frames, pack_index
from mlops_cli.store.cache import Cache
from mlops_cli.store.closure import Reached
from mlops_cli.store.digest import Digest
from mlops_cli.store.recipes import ROW, Recipe
from mlops_cli.store.remotes.remote import PART, Remote
from mlops_cli.store.slicing import BLOCK, Slicer
from mlops_cli.store.transfer import cuts, remote_index
from mlops_cli.store.transfer.chunk_table import ChunkTable, chunk_table
from mlops_cli.store.transfer.naming import Items, Namer, pack_of
from mlops_cli.store.transfer.remote_index import RemoteIndex
from mlops_cli.store.transfer.sent import Sent

PACK_BYTES = BLOCK  # a pack is built in memory, one for each lane, and sent as one
AT_ONCE = 4096  # small objects looked for and read together


@dataclass
class Sender:
    """Sends for one push. Its jobs run in many threads; what they come from, in one."""

    cache: Cache
    remote: Remote
    index: RemoteIndex
    namer: Namer
    task: Task
    everything: bool = False  # also what the remote says it has
    compress: bool = False
    sent: Sent = field(default_factory=Sent)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pending: Items = field(default_factory=list)  # for the pack `_waiting`
    _pending_bytes: int = 0
    _waiting: int = 0
    _taken: set[bytes] = field(default_factory=set)  # in this push

    @cached_property
    def _there(self) -> ChunkTable:
        return chunk_table(self.index)

    def jobs(
        self, small: Sequence[Reached], sliced: Iterable[Reached], whole: Iterable[Reached]
    ) -> Iterator[Callable[[], None]]:
        """Yield the work: what goes as it is, what goes in chunks, and what goes alone.

        Packs are filled in this order: the same objects give the same packs again.
        """
        for some in _together(small):
            yield from self._small(some)
        with Slicer() as slicer:
            for part in sliced:
                yield from self._sliced(slicer, part)
        yield from self._flush()
        for part in whole:
            yield lambda part=part: self._send_whole(part)  # type: ignore[misc]

    def _small(self, parts: Sequence[Reached]) -> Iterator[Callable[[], None]]:
        raws = [part.digest.raw for part in parts]
        self._taken.update(raws)
        ahead = self._packed(raws)
        size = 0
        for raw, part in zip(raws, parts, strict=True):
            data = ahead.pop(raw, None)
            if data is None:
                try:
                    data = self.cache.read(part.digest)  # verified, and never sent otherwise
                except (IntegrityError, NotFound):
                    self.sent.damaged.append(part)
                    continue
            self._pend(raw, data)
            self.sent.objects += 1
            size += len(data)
            if self._pending_bytes >= PACK_BYTES:
                yield from self._flush()
        self.task.advance(size)

    def _packed(self, raws: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return those that lie in packs, verified; not all, if they are more than they said."""
        found: dict[bytes, bytes] = {}
        size = 0
        for at, data in self.cache.read_packed(raws):
            found[raws[at]] = bytes(data)  # what it was read with may be much more
            size += len(data)
            if size > 2 * PACK_BYTES:
                break
        return found

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
                        yield self._pack(self.namer.begin(), new, piece.release)
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
        self.namer.recipe(part, recipe)

    def _lacks(self, raw: bytes) -> bool:
        if raw in self._taken or (not self.everything and self._there.spots(raw)):
            return False
        self._taken.add(raw)
        return True

    def _pend(self, raw: bytes, data: bytes) -> None:
        if not self._pending:
            self._waiting = self.namer.begin()
        self._pending.append((raw, data))
        self._pending_bytes += len(data)

    def _flush(self, *, at_least: int = 0) -> Iterator[Callable[[], None]]:
        if self._pending and self._pending_bytes >= at_least:
            items, self._pending, self._pending_bytes = self._pending, [], 0
            yield self._pack(self._waiting, items, lambda: None)

    def _pack(self, number: int, items: Items, release: Callable[[], None]) -> Callable[[], None]:
        return lambda: self._send_pack(number, items, release)

    def _send_pack(self, number: int, items: Items, release: Callable[[], None]) -> None:
        try:
            if self.compress:
                items = [(raw, frames.squeeze(data)) for raw, data in items]
            size = sum(len(data) for _, data in items)
            index, pieces = pack_of(items)
            name = remote_index.pack_name(pack_index.index_name(index))
            self.remote.write(name, pieces, replace=self.everything)
        finally:
            release()
        with self._lock:
            self.sent.packs += 1
            self.sent.bytes += size
        self.namer.pack(number, index, size)

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
            self.sent.bytes += part.size
        self.namer.whole(part)


def _together(parts: Sequence[Reached]) -> Iterator[Sequence[Reached]]:
    """Yield `parts` in groups that are read at once."""
    start = size = 0
    for at, part in enumerate(parts):
        if size >= PACK_BYTES or at - start >= AT_ONCE:
            yield parts[start:at]
            start, size = at, 0
        size += part.size
    yield parts[start:]
