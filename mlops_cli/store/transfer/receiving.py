"""What comes as it is from a remote: small objects out of packs, and objects that lie alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mlops_cli import fsio
from mlops_cli.progress import Task
from mlops_cli.store import frames
from mlops_cli.store.cache import BatchWriter, Cache
from mlops_cli.store.chunks import CHUNKED_FROM
from mlops_cli.store.closure import Reached
from mlops_cli.store.digest import Digest
from mlops_cli.store.remotes.remote import PART, Remote
from mlops_cli.store.transfer.remote_index import Spot
from mlops_cli.store.transfer.stretches import Stretch, bounds, stretches

# bytes of an object on average below which two threads that hash take twice as long as one: at each
# of them the interpreter lock changes hands
SMALL = 32 << 10


@dataclass(slots=True)
class Fetched:
    """What a fetch did; what it could not do, it raises."""

    objects: int = 0
    bytes: int = 0  # that travelled
    absent: list[Reached] = field(default_factory=list)
    damaged: list[Reached] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)  # files that the remote's own index names


@dataclass(slots=True)
class Receiver:
    """Takes objects in many threads; `wrong` are those that did not come, or came wrong."""

    cache: Cache
    remote: Remote
    writer: BatchWriter
    fetched: Fetched
    task: Task
    wrong: list[Digest] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    turns: threading.Lock = field(default_factory=threading.Lock)  # at hashing what is small

    def jobs(self, spots: dict[Digest, Spot]) -> Iterator[Callable[[], None]]:
        """Yield one job for each stretch of a pack and for each large object."""
        for stretch in stretches((spot, digest) for digest, spot in spots.items()):
            if stretch[0][0].length > PART:
                yield lambda large=stretch[0]: self._take_large(*large)  # type: ignore[misc]
            else:
                yield lambda stretch=stretch: self._take(stretch)  # type: ignore[misc]

    def _take(self, stretch: Stretch[Digest]) -> None:
        name, start, end = bounds(stretch)
        data = self._read(name, start, end)
        small = len(data) < SMALL * len(stretch)
        with self.turns if small else contextlib.nullcontext():
            good = self._right(stretch, data, start)
            with self.lock:
                for raw, whole in good:
                    self.writer.add_new(raw, whole)
                self.fetched.objects += len(good)
                self.fetched.bytes += len(data)
        self.task.advance(len(data))

    def _right(
        self, stretch: Stretch[Digest], data: bytes, start: int
    ) -> list[tuple[bytes, bytes]]:
        """Return the objects of a stretch that are what they should be, by raw digest."""
        view = memoryview(data)
        good: list[tuple[bytes, bytes]] = []
        for spot, digest in stretch:
            raw, at = digest.raw, spot.offset - start
            stored = view[at : at + spot.length]
            # what is longer came whole from an older version, and is not compressed
            found = frames.plain(raw, stored, at_most=CHUNKED_FROM)
            if found is not None:
                good.append((raw, bytes(found)))  # of what it came with, little may be wanted
            else:
                self._refuse(digest, bytes(stored))
        return good

    def _take_large(self, spot: Spot, digest: Digest) -> None:
        """Stream one large object to the disk; it gets its name only if its bytes are right."""
        state = hashlib.sha256()
        store = self.cache.objects
        with store.temporary() as temporary:
            with fsio.translated(temporary), open(temporary, "xb") as target:
                for start in range(spot.offset, spot.offset + spot.length, PART):
                    end = min(start + PART, spot.offset + spot.length)
                    data = self._read(spot.name, start, end)
                    state.update(data)
                    target.write(data)
                    self.task.advance(len(data))
                    if len(data) < end - start:
                        break
            if state.digest() == digest.raw:
                store.publish(temporary, digest)
                with self.lock:
                    self.fetched.objects += 1
                    self.fetched.bytes += spot.length
            else:
                set_aside(self.cache, temporary, digest)
                with self.lock:
                    self.wrong.append(digest)

    def _read(self, name: str, start: int, end: int) -> bytes:
        data = self.remote.read(name, start, end) if end > start else b""
        if data is None:
            with self.lock:
                self.fetched.gone.add(name)
        return data or b""

    def _refuse(self, digest: Digest, data: bytes) -> None:
        if data:
            self.cache.objects.quarantine(digest, data)
        with self.lock:
            self.wrong.append(digest)


def set_aside(cache: Cache, temporary: os.PathLike[str], digest: Digest) -> None:
    """Put the file `temporary`, which is not what it should be, into quarantine."""
    aside = cache.objects.aside(digest)
    aside.parent.mkdir(parents=True, exist_ok=True)
    os.replace(temporary, aside)
