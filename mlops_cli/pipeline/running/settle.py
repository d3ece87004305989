"""Results into cache, locks and ledger, always in this order; quick steps share the writing.

Objects → trees → locks → run cache → records, and only then is the marker of a step deleted. A
crash in between leaves objects without a name, or a step that runs once more. From the first
object to the last name gc is held off, so that it finds none of them without a name.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlops_cli.ledger.append import Writes
from mlops_cli.ledger.record import Record
from mlops_cli.pipeline.planning.look import SMALL
from mlops_cli.pipeline.traces import checkpoint, marker, runcache
from mlops_cli.pipeline.traces import lock as locks
from mlops_cli.pipeline.traces.holding import Held
from mlops_cli.pipeline.traces.keeping import Keeping, marked
from mlops_cli.pipeline.traces.lock import Lock, Output
from mlops_cli.store.cache import BatchWriter, Cache
from mlops_cli.store.statcache import StatCache

TOGETHER = 1.0  # seconds of results that a crash may make run again
MANY = 100  # results that wait for no second, as each holds a file open


@dataclass(slots=True)
class Settling:
    """Results that wait to be written together. Used by one thread."""

    root: Path
    cache: Cache
    stats: StatCache | None
    ledger: Writes
    stored: bool = True  # whether outputs go into the cache
    written: list[str] = field(default_factory=list)  # locks that changed
    digests: dict[str, str] = field(default_factory=dict)  # step → its record
    _results: list[tuple[Lock, str]] = field(default_factory=list)
    _restored: set[str] = field(default_factory=set)  # keys whose outcome was seen before
    _records: list[tuple[str, Record]] = field(default_factory=list)
    _over: list[Held] = field(default_factory=list)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _writer: BatchWriter | None = None
    _lease: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _leased: bool = False
    _since: float = 0.0

    def store(self, path: str, *, cache: bool = True) -> Output:
        """Put what is at `path` on its way into the cache, or only look at it where outputs are not
        `stored` or this one is to be in no `cache`. Raises NotFound as `ingest` does."""
        self._hold()
        stored = self.stored and cache
        target = self.root / path
        found = os.lstat(target) if os.path.lexists(target) else None
        if stored and found and stat.S_ISREG(found.st_mode) and found.st_size <= SMALL:
            data = target.read_bytes()
            return Output(self.put(data), "file", len(data), 1)
        from mlops_cli.store.files.ingest import fingerprint, ingest
        from mlops_cli.workspace.ignore import ignored_in

        ignored = ignored_in(self.root, path) if target.is_dir() else None
        look = ingest if stored else fingerprint
        made = look(target, cache=self.cache, stats=self.stats, ignored=ignored)
        return Output(str(made.digest), made.kind, made.size, made.files, stored)

    def output(self, path: str, keeping: Keeping) -> Output:
        """Return the output at `path`, on its way into the cache unless it is not to go there."""
        cached = bool(keeping.get(path, {}).get("cache", True))
        return marked(path, self.store(path, cache=cached), keeping)

    def put(self, data: bytes) -> str:
        """Put `data` on its way into the cache; it is there after `flush`."""
        self._hold()
        if self._writer is None:
            self._writer = self._open.enter_context(self.cache.writer())
        return str(self._writer.put(data))

    def result(self, lock: Lock, record: Record, held: Held, *, restored: bool = False) -> None:
        """Take the result of a step that is done; it is let go when all is written."""
        if restored:
            self._restored.add(lock.key)
        self._since = self._since or time.monotonic()
        self._results.append((lock, lock.key))
        self.record(lock.step, record)
        self._over.append(held)

    def record(self, step: str, record: Record) -> None:
        """Take the record of an attempt that left no result."""
        self._since = self._since or time.monotonic()
        self._records.append((step, record))

    @property
    def due(self) -> bool:
        """Whether something has waited long enough."""
        waited = bool(self._since) and time.monotonic() - self._since >= TOGETHER
        return waited or len(self._over) >= MANY

    def flush(self) -> None:
        """Write all that waits."""
        self._leased = False
        with self._lease.pop_all():
            self._write()

    def _write(self) -> None:
        if self._writer is not None:
            self._writer = None
            self._open.close()
        folder = self.cache.root / "runs"
        told = dict(self._records)
        for lock, key in self._results:
            if locks.write_lock(self.root, lock):
                self.written.append(lock.path)
            if all(out.stored for out in lock.outputs.values()) and not (
                key in self._restored and runcache.knows(folder, key)
            ):
                runcache.remember(folder, key, self._seen(lock, told.get(lock.step)))
        for step, record in self._records:
            self.digests[step] = str(self.ledger.spool(record))
        for held in self._over:
            checkpoint.forget(self.root, held.step)
            marker.clear(held)
        self._results, self._records, self._over, self._since = [], [], [], 0.0

    def _seen(self, lock: Lock, record: Record | None) -> runcache.Seen:
        """Return the entry of the run cache, with the record that stands for it."""
        seen = runcache.Seen(lock.outputs, lock.metrics, lock.facts)
        if record is None or record["status"] != "done":
            return seen
        return replace(
            seen,
            record=str(record.digest),
            writer=getattr(self.ledger, "writer", None),  # one that tells nobody has no name
            actor=record["actor"],
            determinism=record["determinism"] or "exact",
        )

    def _hold(self) -> None:
        """Keep gc away until what is stored from here on has a name."""
        if not self._leased:
            self._lease.enter_context(self.cache.writing())
            self._leased = True
            self._since = self._since or time.monotonic()
