"""A large object is put together from its chunks, which come in any order, each at its place."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from mlops_cli import fsio
from mlops_cli.errors import OutsideWorld
from mlops_cli.progress import Task
from mlops_cli.store import frames
from mlops_cli.store.cache import Cache
from mlops_cli.store.chunks import MOST, Chunk
from mlops_cli.store.digest import Digest
from mlops_cli.store.recipes import Recipe
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.transfer import cuts
from mlops_cli.store.transfer.chunk_table import ChunkTable
from mlops_cli.store.transfer.follower import Follower
from mlops_cli.store.transfer.nearby import Nearby
from mlops_cli.store.transfer.receiving import Fetched
from mlops_cli.store.transfer.remote_index import Spot
from mlops_cli.store.transfer.stretches import Stretch, bounds, stretches

WINDOW = 4096  # chunks whose places are looked up at a time


NOWHERE = Spot("", 0, 0)


class _Place(NamedTuple):
    """A chunk, and where in the object it belongs."""

    chunk: Chunk
    at: int


@dataclass(slots=True)
class _Whole:
    """An object while it is put together."""

    digest: Digest
    recipe: Recipe
    path: Path
    handle: int
    follower: Follower
    under_way: int = 1  # stretches that are not done, and one until the last was begun
    wrong: list[tuple[Spot, _Place]] = field(default_factory=list)


@dataclass(slots=True)
class Assembler:
    """Puts objects together, in many threads; `wrong` could not be, `lost` for want of a chunk."""

    cache: Cache
    remote: Remote
    table: ChunkTable
    nearby: Nearby
    fetched: Fetched
    task: Task
    wrong: list[Digest] = field(default_factory=list)
    lost: set[Digest] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _open: dict[Digest, _Whole] = field(default_factory=dict)

    def jobs(self, recipes: Iterable[tuple[Digest, Recipe]]) -> Iterator[Callable[[], None]]:
        """Yield one job for each stretch of a pack that one of the objects needs."""
        for digest, recipe in recipes:
            whole = self._begin(digest, recipe)
            for take in self._takes(whole):
                with self.lock:
                    whole.under_way += 1
                yield take
            yield lambda whole=whole: self._done(whole)  # type: ignore[misc]

    def close(self) -> None:
        """Let go of what was not finished."""
        for whole in self._open.values():
            os.close(whole.handle)
            whole.path.unlink(missing_ok=True)

    def _begin(self, digest: Digest, recipe: Recipe) -> _Whole:
        with fsio.translated(self.cache.root):
            path = fsio.temporary_beside(self.cache.root / "tmp" / "object")
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            whole = _Whole(digest, recipe, path, handle, Follower(handle, recipe.size))
            self._open[digest] = whole
            room = os.fstatvfs(handle)
            if room.f_bavail * room.f_frsize < recipe.size:
                raise OutsideWorld(
                    f"the disk is full: {digest} would take {recipe.size} bytes",
                    code="disk-full",
                    hint="free some space and run the same command again; nothing was lost",
                )
        return whole

    def _takes(self, whole: _Whole) -> Iterator[Callable[[], None]]:
        places, at = iter(whole.recipe), 0
        while window := list(islice(places, WINDOW)):
            found: list[tuple[Spot, _Place]] = []
            near: list[_Place] = []
            for chunk in window:
                place = _Place(chunk, at)
                at += chunk.length
                if self.nearby.has(chunk):
                    near.append(place)
                elif spots := self._spots(chunk):
                    found.append((spots[0], place))
                else:
                    whole.wrong.append((NOWHERE, place))
            # from its beginning on, so that it can be hashed while the rest comes
            for stretch in sorted(
                stretches(found), key=lambda stretch: min(place.at for _, place in stretch)
            ):
                yield lambda stretch=stretch: self._take(whole, stretch)  # type: ignore[misc]
            if near:
                yield lambda near=near: self._copy(whole, near)  # type: ignore[misc]

    def _spots(self, chunk: Chunk) -> list[Spot]:
        # a lie about a length must not fill the memory
        return [spot for spot in self.table.spots(chunk.raw) if spot.length <= MOST]

    def _take(self, whole: _Whole, stretch: Stretch[_Place]) -> None:
        name, start, end = bounds(stretch)
        data = self._read(name, start, end)
        arrived = []
        with fsio.translated(whole.path):
            for spot, place in stretch:
                stored = memoryview(data)[spot.offset - start : spot.offset - start + spot.length]
                if len(stored) == place.chunk.length:
                    # its bytes, as the digest of the whole will tell; else all chunks are hashed
                    found: bytes | memoryview | None = stored
                else:
                    found = frames.plain(place.chunk.raw, stored, at_most=MOST)
                if found is None or len(found) != place.chunk.length:
                    with self.lock:
                        whole.wrong.append((spot, place))
                    continue
                _pwrite(whole.handle, found, place.at)
                arrived.append((place.at, place.at + place.chunk.length))
            whole.follower.arrived(arrived)
        with self.lock:
            self.fetched.bytes += len(data)
        self.task.advance(len(data))
        self._done(whole)

    def _copy(self, whole: _Whole, near: list[_Place]) -> None:
        """Put chunks in place that are here already."""
        with fsio.translated(whole.path):
            for place in near:
                data = self.nearby.read(place.chunk)
                if data is None:
                    with self.lock:
                        whole.wrong.append((NOWHERE, place))
                    continue
                _pwrite(whole.handle, data, place.at)
                whole.follower.arrived([(place.at, place.at + len(data))])
        self._done(whole)

    def _done(self, whole: _Whole) -> None:
        with self.lock:
            whole.under_way -= 1
            if whole.under_way:
                return
        try:
            with fsio.translated(whole.path):
                self._finish(whole)
        finally:
            with self.lock:
                del self._open[whole.digest]
            os.close(whole.handle)
            whole.path.unlink(missing_ok=True)

    def _finish(self, whole: _Whole) -> None:
        if not self._mend(whole, whole.wrong):
            return
        if whole.follower.digest() != (whole.recipe.size, whole.digest.raw):
            # some chunk is not what it should be: now each is asked
            again = _Whole(
                whole.digest,
                whole.recipe,
                whole.path,
                whole.handle,
                Follower(whole.handle, whole.recipe.size),
            )
            wrong, right = self._suspects(again)
            again.follower.arrived(right)
            if not self._mend(again, wrong):
                return
            if again.follower.digest() != (whole.recipe.size, whole.digest.raw):
                self._give_up(whole)  # it is the recipe that is wrong
                return
        self.cache.objects.publish(whole.path, whole.digest)
        cuts.remember(self.cache, whole.digest, whole.recipe)
        with self.lock:
            self.fetched.objects += 1

    def _suspects(self, whole: _Whole) -> tuple[list[tuple[Spot, _Place]], list[tuple[int, int]]]:
        """Return the chunks in the file that are wrong, and from where to where it is right."""
        wrong, right = [], []
        at = 0
        for chunk in whole.recipe:
            data = os.pread(whole.handle, chunk.length, at)
            if hashlib.sha256(data).digest() == chunk.raw:
                right.append((at, at + chunk.length))
            else:
                self.cache.objects.quarantine(Digest.from_raw(chunk.raw), data)
                from_here = self.nearby.has(chunk)
                spot = NOWHERE if from_here else self._spots(chunk)[0]
                wrong.append((spot, _Place(chunk, at)))
            at += chunk.length
        return wrong, right

    def _mend(self, whole: _Whole, wrong: list[tuple[Spot, _Place]]) -> bool:
        """Take the chunks that came wrong from elsewhere; return whether all are right now."""
        for former, place in wrong:
            found = None
            others = [spot for spot in self._spots(place.chunk) if spot != former]
            for spot in others:
                data = self._read(spot.name, spot.offset, spot.offset + spot.length)
                found = frames.plain(place.chunk.raw, data, at_most=MOST)
                if found is not None and len(found) == place.chunk.length:
                    break
                found = None
            if found is None:
                asked = {spot.name for spot in (former, *others) if spot.name}
                # a chunk that nothing speaks of is a lie of the recipe, or was in a lost pack
                lost = asked <= self.fetched.gone if asked else bool(self.table.index.gone)
                self._give_up(whole, lost=lost)
                return False
            _pwrite(whole.handle, found, place.at)
            whole.follower.arrived([(place.at, place.at + place.chunk.length)])
        return True

    def _give_up(self, whole: _Whole, *, lost: bool = False) -> None:
        if not lost:  # so that it counts as damaged; the chunk itself is kept for inspection
            self.cache.objects.quarantine(whole.digest, b"")
        with self.lock:
            self.wrong.append(whole.digest)
            if lost:
                self.lost.add(whole.digest)

    def _read(self, name: str, start: int, end: int) -> bytes:
        data = self.remote.read(name, start, end)
        if data is None:
            with self.lock:
                self.fetched.gone.add(name)
        return data or b""


def _pwrite(handle: int, data: bytes | memoryview, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, at)
        view, at = view[written:], at + written
