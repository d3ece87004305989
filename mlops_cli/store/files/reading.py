"""Every file whose digest is not known is read once, by this process or by several."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256

from mlops_cli.progress import Progress, Task
from mlops_cli.store import hashing
from mlops_cli.store.cache import BatchWriter
from mlops_cli.store.files.scan import Folder, Scan
from mlops_cli.store.files.worker import Batch, Done, Reader
from mlops_cli.store.statcache import UNKNOWN

BATCH_FILES = 256
BATCH_BYTES = 4 << 20
PROCESSES_FROM = 2000  # files to read, below which starting processes costs more than it brings
ALONE_FROM = hashing.OVERLAP_FROM  # such a file keeps two threads busy by itself


def read_unknown(found: Scan, *, writer: BatchWriter | None, progress: Progress, jobs: int) -> None:
    """Fill in the digests that are not known yet; with a writer the files are stored as well."""
    batches, alone = _unread(found, writer)
    if not batches and not alone:
        return
    files = sum(len(batch[1]) for batch, _ in batches)
    volume = sum(sum(batch[2]) for batch, _ in batches)
    worth = files >= PROCESSES_FROM or (volume >= PROCESSES_FROM << 15 and len(batches) > 8)
    workers = processes(jobs) if worth else 1
    label = "storing" if writer else "hashing"
    # a large file takes so long by itself that bytes are what moves
    amount, unit = (_bytes, "B") if alone else (_files, "files")
    total = volume + sum(sum(batch[2]) for batch, _ in alone) if alone else files
    with progress.task(label, total=total, unit=unit) as task:
        try:
            if workers > 1:
                _read_by_processes(batches, workers, writer, task, amount)
            else:
                reader = Reader(writer)
                for batch, done in batches:
                    done(reader.take(*batch))
                    task.advance(amount(batch))
            reader = Reader(writer, task.advance)
            for batch, done in alone:
                done(reader.take(*batch))
        except OSError as exc:
            raise hashing.unreadable(exc) from exc


def _read_by_processes(
    batches: list[tuple[Batch, Done]],
    workers: int,
    writer: BatchWriter | None,
    task: Task,
    amount: Callable[[Batch], int],
) -> None:
    from mlops_cli.store.files.workers import (
        Workers,  # brings subprocess, which most commands never need
    )

    root = str(writer.root) if writer else ""
    with Workers(workers, "mlops_cli.store.files.worker", root) as pool:
        for batch, done in batches:
            pool.submit(batch, _both(done, task, amount(batch)))
        pool.finish()


def processes(jobs: int) -> int:
    """Return how many processes share the work: `jobs`, or one for each core up to eight."""
    if jobs > 0:
        return jobs
    # the cores this process may use, where the system tells (macOS does not)
    allowed = getattr(os, "sched_getaffinity", None)
    return min(len(allowed(0)) if allowed else os.cpu_count() or 1, 8)


def _both(done: Done, task: Task, amount: int) -> Done:
    def then(digests: list[bytes]) -> None:
        done(digests)
        task.advance(amount)

    return then


def _files(batch: Batch) -> int:
    return len(batch[1])


def _bytes(batch: Batch) -> int:
    return sum(batch[2])


def _unread(
    found: Scan, writer: BatchWriter | None
) -> tuple[list[tuple[Batch, Done]], list[tuple[Batch, Done]]]:
    """Return batches of smaller files, and large files each alone; links are done at once."""
    batches: list[tuple[Batch, Done]] = []
    alone: list[tuple[Batch, Done]] = []
    for folder in found.folders:
        if UNKNOWN not in folder.digests:
            continue
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
