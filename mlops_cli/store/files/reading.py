"""Every file whose digest is not known is read once, by this process or by several."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

from mlops_cli.progress import Progress
from mlops_cli.store import hashing
from mlops_cli.store.cache import BatchWriter
from mlops_cli.store.files.scan import Folder
from mlops_cli.store.files.worker import Batch, Done, Reader
from mlops_cli.store.statcache import UNKNOWN

if TYPE_CHECKING:
    from mlops_cli.store.files.workers import Workers

BATCH_FILES = 256
BATCH_BYTES = 4 << 20
PROCESSES_FROM = 2000  # files to read, below which starting processes costs more than it brings
ALONE_FROM = hashing.OVERLAP_FROM  # such a file keeps two threads busy by itself


class Reading:
    """Fills in the digests that are not known; with a writer the files are stored as well.

    It is told of folders while others are still looked for, and where there is much to read,
    several processes begin at once. A context manager: what was not finished is dropped.
    """

    def __init__(self, *, writer: BatchWriter | None, progress: Progress, jobs: int) -> None:
        self._writer, self._progress, self._workers = writer, progress, processes(jobs)
        self._batches: list[tuple[Batch, Done]] = []  # not handed over
        self._alone: list[tuple[Batch, Done]] = []  # large files, each by itself
        self._pool: Workers | None = None
        self._files = self._volume = self._count = 0  # of all batches
        self._early: list[Batch] = []  # done before there was a task to tell
        self._tell: Callable[[Batch], None] = self._early.append

    def take(self, folder: Folder) -> None:
        """Have the files of `folder` read; to be called once for each."""
        batches, alone = _unread(folder, self._writer)
        self._alone += alone
        for batch, done in batches:
            self._count += 1
            self._files += len(batch[1])
            self._volume += sum(batch[2])
            self._batches.append((batch, done))
        much = self._volume >= PROCESSES_FROM << 15 and self._count > 8
        if self._workers > 1 and (self._files >= PROCESSES_FROM or much):
            self._hand_over()

    def finish(self) -> None:
        """Wait for all that is being read, and read the rest.

        Raises StateRefused ("file-changed"), OutsideWorld.
        """
        if not self._count and not self._alone:
            return
        label = "storing" if self._writer else "hashing"
        # a large file takes so long by itself that bytes are what moves
        amount, unit, total = _files, "files", self._files
        if self._alone:
            amount, unit, total = _bytes, "B", self._volume + sum(_bytes(b) for b, _ in self._alone)
        with self._progress.task(label, total=total, unit=unit) as task:
            self._tell = lambda batch: task.advance(amount(batch))
            for batch in self._early:
                self._tell(batch)
            if self._pool is not None:
                self._pool.finish()
            try:
                reader = Reader(self._writer)
                for batch, done in self._batches:
                    done(reader.take(*batch))
                    self._tell(batch)
                reader = Reader(self._writer, task.advance)
                for batch, done in self._alone:
                    done(reader.take(*batch))
            except OSError as exc:
                raise hashing.unreadable(exc) from exc

    def _hand_over(self) -> None:
        if self._pool is None:
            from mlops_cli.store.files.workers import (
                Workers,  # brings subprocess, which most commands never need
            )

            root = str(self._writer.root) if self._writer else ""
            self._pool = Workers(self._workers, "mlops_cli.store.files.worker", root)
        for batch, done in self._batches:
            self._pool.submit(batch, self._both(batch, done))
        self._batches = []

    def _both(self, batch: Batch, done: Done) -> Done:
        def then(digests: list[bytes]) -> None:
            done(digests)
            self._tell(batch)

        return then

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._pool is not None:
            self._pool.close()


def processes(jobs: int) -> int:
    """Return how many processes share the work: `jobs`, or one for each core up to eight."""
    if jobs > 0:
        return jobs
    # the cores this process may use, where the system tells (macOS does not)
    allowed = getattr(os, "sched_getaffinity", None)
    return min(len(allowed(0)) if allowed else os.cpu_count() or 1, 8)


def _files(batch: Batch) -> int:
    return len(batch[1])


def _bytes(batch: Batch) -> int:
    return sum(batch[2])


def _unread(
    folder: Folder, writer: BatchWriter | None
) -> tuple[list[tuple[Batch, Done]], list[tuple[Batch, Done]]]:
    """Return batches of smaller files, and large files each alone; links are done at once."""
    batches: list[tuple[Batch, Done]] = []
    alone: list[tuple[Batch, Done]] = []
    if UNKNOWN not in folder.digests:
        return batches, alone
    places: list[int] = []
    sizes: list[int] = []
    volume = 0
    for at, (digest, facts) in enumerate(zip(folder.digests, folder.stats(), strict=True)):
        if digest != UNKNOWN:
            continue
        size, name = facts[0], folder.names[at]
        if name in folder.targets:
            folder.digests[at] = _link(folder.targets[name], writer)
            continue
        if size >= ALONE_FROM:
            alone.append(_batch(folder, [at], [size]))
            continue
        places.append(at)
        sizes.append(size)
        volume += size
        if len(places) >= BATCH_FILES or volume >= BATCH_BYTES:
            batches.append(_batch(folder, places, sizes))
            places, sizes, volume = [], [], 0
    if places:
        batches.append(_batch(folder, places, sizes))
    return batches, alone


def _batch(folder: Folder, places: list[int], sizes: list[int]) -> tuple[Batch, Done]:
    def done(digests: list[bytes]) -> None:
        for at, digest in zip(places, digests, strict=True):
            folder.digests[at] = digest

    return (folder.path, [folder.names[at] for at in places], sizes), done


def _link(target: bytes, writer: BatchWriter | None) -> bytes:
    raw = sha256(target).digest()
    if writer is not None:
        writer.add_raw(raw, target)
    return raw
