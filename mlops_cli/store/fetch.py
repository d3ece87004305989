"""Fetch: objects come from a remote; every byte is hashed before anything may use it."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.progress import SILENT, Progress, Task
from mlops_cli.store import remote_index
from mlops_cli.store.cache import BatchWriter, Cache
from mlops_cli.store.closure import Reached, Root, children
from mlops_cli.store.digest import Digest
from mlops_cli.store.remote import PART, Remote
from mlops_cli.store.remote_index import RemoteIndex, Spot
from mlops_cli.store.transfer import absent_error, in_parallel

GAP = 256 << 10  # reading so many unwanted bytes costs less than another request


@dataclass(slots=True)
class Fetched:
    """What a fetch did; what it could not do, it raises."""

    objects: int = 0
    bytes: int = 0
    absent: list[Reached] = field(default_factory=list)
    damaged: list[Reached] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)  # files that the remote's own index names


def fetch(
    cache: Cache,
    remote: Remote,
    index: RemoteIndex,
    roots: Sequence[Root],
    *,
    progress: Progress = SILENT,
) -> Fetched:
    """Bring everything below `roots` that is not in the cache; return what came.

    Wrong bytes go to quarantine. Raises, after all that can be had is here, IntegrityError
    ("damaged-object") or NotFound ("missing-object"), which name the paths.
    """
    fetched = Fetched()
    with progress.task("fetching", unit="B") as task:
        files = _trees(cache, remote, index, roots, fetched, task)
        _bring(cache, remote, index, files, fetched, task)
    if fetched.gone:
        remote_index.save(index.with_gone(fetched.gone))
    if fetched.damaged:
        raise _damaged(fetched.damaged, remote)
    if fetched.absent:
        raise absent_error(fetched.absent, f"is neither in the cache nor at {remote.url}")
    return fetched


def fetch_objects(
    cache: Cache, remote: Remote, index: RemoteIndex, parts: Sequence[Reached]
) -> Fetched:
    """Bring just `parts`, not what is below them; what cannot be had is only reported."""
    fetched = Fetched()
    with SILENT.task("fetching") as task:
        _bring(cache, remote, index, {part.digest: part for part in parts}, fetched, task)
    return fetched


def fetch_trees(cache: Cache, remote: Remote, index: RemoteIndex, roots: Sequence[Root]) -> Fetched:
    """Bring the listings below `roots`, and no files; what cannot be had is only reported."""
    fetched = Fetched()
    with SILENT.task("fetching") as task:
        _trees(cache, remote, index, roots, fetched, task)
    return fetched


def _trees(
    cache: Cache,
    remote: Remote,
    index: RemoteIndex,
    roots: Sequence[Root],
    fetched: Fetched,
    task: Task,
) -> dict[Digest, Reached]:
    """Bring all trees, level by level, and return the files below them that are not here."""
    files: dict[Digest, Reached] = {}
    level: dict[Digest, str] = {}
    for root in roots:
        if root.kind == "tree":
            level.setdefault(root.digest, root.path)
        elif not cache.has(root.digest):
            files.setdefault(root.digest, Reached(root.digest, root.size, root.path, False))
    seen = set(level)
    while level:
        wanted = {
            digest: Reached(digest, 0, path, True)
            for digest, path in level.items()
            if not cache.has(digest)
        }
        _bring(cache, remote, index, wanted, fetched, task)
        below: dict[Digest, str] = {}
        for digest, path in level.items():
            try:
                data = cache.read(digest)
            except (NotFound, IntegrityError):
                if digest not in wanted:  # it was here and turned out damaged: once more
                    part = {digest: Reached(digest, 0, path, True)}
                    _bring(cache, remote, index, part, fetched, task)
                if not cache.has(digest):
                    continue
                data = cache.read(digest)
            for entry, inner in children(data, path):
                if entry.mode == "dir":
                    if entry.digest not in seen:
                        seen.add(entry.digest)
                        below[entry.digest] = inner
                elif entry.digest not in files and not cache.has(entry.digest):
                    files[entry.digest] = Reached(entry.digest, entry.size, inner, False)
        level = below
    return files


def _bring(
    cache: Cache,
    remote: Remote,
    index: RemoteIndex,
    wanted: dict[Digest, Reached],
    fetched: Fetched,
    task: Task,
) -> None:
    spots = index.find(wanted)
    fetched.absent += [part for digest, part in wanted.items() if digest not in spots]
    while spots:
        with cache.writer() as writer:
            receiver = _Receiver(cache, remote, writer, fetched, task)
            in_parallel(receiver.jobs(spots), lanes=remote.lanes)
        # an object that came wrong or not at all may lie in another pack as well
        retry = {}
        for digest in receiver.wrong:
            former, *others = spots[digest]
            if others:
                retry[digest] = others
            elif former.name in fetched.gone:
                fetched.absent.append(wanted[digest])
            else:
                fetched.damaged.append(wanted[digest])
        spots = retry


@dataclass(slots=True)
class _Receiver:
    cache: Cache
    remote: Remote
    writer: BatchWriter
    fetched: Fetched
    task: Task
    wrong: list[Digest] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def jobs(self, spots: dict[Digest, list[Spot]]) -> Iterator[Callable[[], None]]:
        """Return one job for each stretch of a pack and for each large object."""
        first = sorted((found[0], digest) for digest, found in spots.items())
        stretch: list[tuple[Spot, Digest]] = []
        for spot, digest in first:
            if spot.length > PART:
                yield lambda spot=spot, digest=digest: self.take_large(spot, digest)  # type: ignore[misc]
                continue
            if stretch and not _together(stretch[0][0], stretch[-1][0], spot):
                yield lambda stretch=stretch: self.take(stretch)  # type: ignore[misc]
                stretch = []
            stretch.append((spot, digest))
        if stretch:
            yield lambda: self.take(stretch)

    def take(self, stretch: list[tuple[Spot, Digest]]) -> None:
        """Read neighbouring objects with one request."""
        head, last = stretch[0][0], stretch[-1][0]
        start, end = head.offset, last.offset + last.length
        data = self.read(head.name, start, end) if end > start else b""
        view = memoryview(data)
        good: list[tuple[Digest, bytes]] = []
        for spot, digest in stretch:
            found = bytes(view[spot.offset - start : spot.offset - start + spot.length])
            if hashlib.sha256(found).digest() == digest.raw:
                good.append((digest, found))
            else:
                self.refuse(digest, found)
        with self.lock:
            for digest, found in good:
                self.writer.add(digest, found)
                self.fetched.objects += 1
                self.fetched.bytes += len(found)
        self.task.advance(len(data))

    def take_large(self, spot: Spot, digest: Digest) -> None:
        """Stream one large object to the disk; it gets its name only if its bytes are right."""
        state = hashlib.sha256()
        store = self.cache.objects
        with store.temporary() as temporary:
            with fsio.translated(temporary), open(temporary, "xb") as target:
                for start in range(spot.offset, spot.offset + spot.length, PART):
                    end = min(start + PART, spot.offset + spot.length)
                    data = self.read(spot.name, start, end)
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
                aside = store.aside(digest)
                aside.parent.mkdir(parents=True, exist_ok=True)
                os.replace(temporary, aside)
                with self.lock:
                    self.wrong.append(digest)

    def read(self, name: str, start: int, end: int) -> bytes:
        data = self.remote.read(name, start, end)
        if data is None:
            with self.lock:
                self.fetched.gone.add(name)
        return data or b""

    def refuse(self, digest: Digest, data: bytes) -> None:
        if data:
            self.cache.objects.quarantine(digest, data)
        with self.lock:
            self.wrong.append(digest)


def _together(head: Spot, former: Spot, spot: Spot) -> bool:
    return (
        head.name == spot.name
        and spot.offset - (former.offset + former.length) <= GAP
        and spot.offset + spot.length - head.offset <= PART
    )


def _damaged(parts: Sequence[Reached], remote: Remote) -> IntegrityError:
    first, more = parts[0], len(parts) - 1
    others = f" (and {more} more)" if more else ""
    return IntegrityError(
        f"the remote {remote.url} has wrong bytes for {first.path}{others}; they are not used",
        code="damaged-object",
        hint=f"mlops push --force {first.path.partition('/')[0]} from a clone that has good bytes",
        details={
            "url": remote.url,
            "damaged": [{"path": part.path, "digest": part.digest} for part in parts[:20]],
        },
    )
