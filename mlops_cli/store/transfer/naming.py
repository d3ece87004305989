"""What a push has sent gets its names: packs when they are there, objects when their packs are."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256

from mlops_cli import fsio
from mlops_cli.store import pack_index, packs
from mlops_cli.store.closure import Reached
from mlops_cli.store.recipes import Recipe, write_recipe
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.transfer import remote_index
from mlops_cli.store.transfer.remote_index import RemoteIndex

AFTER_BYTES = 128 << 20  # so much is lost at most when a push is killed,
AFTER_SECONDS = 30.0  # and so much of a slow line
AFTER_FILES = 256

Items = list[tuple[bytes, bytes | memoryview]]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The recipe of an object, which may be named when all packs up to `due` are."""

    part: Reached
    recipe: Recipe
    due: int


@dataclass(slots=True)
class Namer:
    """Publishes index files and recipes, from many threads; `named` objects have theirs."""

    remote: Remote
    index: RemoteIndex
    files: set[str] = field(default_factory=set)  # in index/
    named: int = 0
    _packs: int = 0  # numbered as they are begun
    _sent: dict[int, tuple[bytes, int] | None] = field(default_factory=dict)  # and not named yet
    _recipes: list[_Waiting] = field(default_factory=list)
    _whole: list[Reached] = field(default_factory=list)
    _last: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> int:
        """Return the number of a new pack."""
        with self._lock:
            self._packs += 1
            self._sent[self._packs] = None
            return self._packs

    def pack(self, number: int, index: bytes, size: int) -> None:
        """Take note that the pack with that number is there."""
        with self._lock:
            self._sent[number] = (index, size)
        self._some()

    def recipe(self, part: Reached, recipe: Recipe) -> None:
        """Take note that all chunks of an object are in packs that were begun."""
        with self._lock:
            self._recipes.append(_Waiting(part, recipe, self._packs))

    def whole(self, part: Reached) -> None:
        """Take note that an object that lies alone is there."""
        with self._lock:
            self._whole.append(part)
        self._some()

    def settle(self, *, at_least: int = 1) -> None:
        """Name what has arrived, if that is much or so many; packs come before the recipes that
        need them."""
        self._name_packs(at_least)
        self._name_recipes(at_least)
        self._name_whole(at_least)

    def _some(self) -> None:
        at_least = AFTER_FILES
        with self._lock:
            if time.monotonic() - self._last > AFTER_SECONDS:
                at_least, self._last = 1, time.monotonic()
        self.settle(at_least=at_least)

    def _name_packs(self, at_least: int) -> None:
        with self._lock:
            ready = {number: sent for number, sent in self._sent.items() if sent}
            if not _due(len(ready), sum(size for _, size in ready.values()), at_least):
                return
            self._sent.update(dict.fromkeys(ready))  # no other thread takes them
        indices = b"".join(ready[number][0] for number in sorted(ready))
        try:
            self._publish(sha256(indices).hexdigest() + remote_index.PACKED, indices)
        except BaseException:
            with self._lock:
                self._sent.update(ready)
            raise
        with self._lock:
            for number in ready:
                del self._sent[number]

    def _name_recipes(self, at_least: int) -> None:
        with self._lock:
            first = min(self._sent, default=self._packs + 1)
            ready = [waiting for waiting in self._recipes if waiting.due < first]
            if not _due(len(ready), sum(waiting.part.size for waiting in ready), at_least):
                return
            self._recipes = [waiting for waiting in self._recipes if waiting.due >= first]
        index, body = pack_of([(one.part.digest.raw, write_recipe(one.recipe)) for one in ready])
        stem = pack_index.index_name(index)
        try:
            self.remote.write(remote_index.recipes_name(stem), body)
            self._publish(stem + remote_index.RECIPES, index)
        except BaseException:
            with self._lock:
                self._recipes += ready
            raise
        with self._lock:
            self.named += len(ready)

    def _name_whole(self, at_least: int) -> None:
        with self._lock:
            if not _due(len(self._whole), sum(part.size for part in self._whole), at_least):
                return
            ready, self._whole = self._whole, []
        index = pack_index.write_index({part.digest.raw: (0, part.size) for part in ready})
        self._publish(pack_index.index_name(index) + remote_index.WHOLE, index)
        with self._lock:
            self.named += len(ready)

    def _publish(self, name: str, data: bytes) -> None:
        self.remote.write(f"index/{name}", data)
        fsio.write_atomic(self.index.folder / "index" / name, data, durable=False)
        with self._lock:
            self.files.add(name)


def _due(count: int, size: int, at_least: int) -> bool:
    return count > 0 and (count >= at_least or size >= AFTER_BYTES)


def pack_of(items: Items) -> tuple[bytes, list[bytes | memoryview]]:
    """Return the index of a pack of `items`, raw digest and record each, and the pack in pieces."""
    rows: dict[bytes, tuple[int, int]] = {}
    pieces: list[bytes | memoryview] = [packs.PACK_MAGIC]
    end = len(packs.PACK_MAGIC)
    for raw, data in items:
        pieces += (packs.RECORD.pack(raw, len(data)), data)
        rows[raw] = (end + packs.RECORD.size, len(data))
        end += packs.RECORD.size + len(data)
    return pack_index.write_index(rows), pieces
