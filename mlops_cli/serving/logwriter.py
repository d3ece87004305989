"""The prediction log as it is written: one thread, whole Arrow batches, nothing dropped.

Requests hand their entries over and go on; when the disk cannot follow, they wait. Shadows
predict here, behind the answer. A batch is one write of complete messages, so that a kill
leaves whole batches and at most one torn tail, which the reader leaves aside.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlops_cli.serving import logbatch
from mlops_cli.serving.core import Entry, count_rows
from mlops_cli.serving.logbatch import Answered, Policy
from mlops_cli.serving.logfiles import INTERVAL, OPEN, SEALED
from mlops_cli.serving.metrics import Counters
from mlops_cli.serving.model import run

_BATCH = 4096  # rows that are written without waiting for the interval
_MOST_PENDING = 100_000  # rows in memory; beyond, requests wait
_SEGMENT_BYTES = 64 << 20
_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_LOG = logging.getLogger("mlops.serving")


class LogWriter:
    """The writer of one worker. `put` is called by requests, `rotate` by whoever seals."""

    def __init__(
        self, folder: Path, counters: Counters, *, writer: str, policy: Policy | None = None
    ) -> None:
        self.policy = policy or Policy()
        self._folder = folder
        self._counters = counters
        self._writer = writer
        self._queue: deque[Entry | threading.Event] = deque()
        self._pending = 0
        self._lock = threading.Condition()
        self._wake = threading.Event()
        self._closed = False
        self._segment: _Segment | None = None
        self._number = 0
        self._thread = threading.Thread(target=self._work, name="prediction-log", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Queue an entry; wait while more than the memory allows is queued."""
        with self._lock:
            while self._pending >= _MOST_PENDING and not self._closed:
                self._lock.wait()
            self._queue.append(entry)
            self._pending += entry.call.rows
            if self._pending >= _BATCH:
                self._wake.set()

    def rotate(self, wait: float = 30.0) -> bool:
        """Write all that was put before, close the segment and give it its sealed name."""
        done = threading.Event()
        with self._lock:
            self._queue.append(done)
        self._wake.set()
        return done.wait(wait)

    def close(self) -> None:
        """Rotate and end the thread."""
        self.rotate()
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        self._wake.set()
        self._thread.join(10.0)

    def _work(self) -> None:
        while not self._closed:
            self._wake.wait(INTERVAL)
            self._wake.clear()
            with self._lock:
                taken = list(self._queue)
                self._queue.clear()
            self._write_all(taken)

    def _write_all(self, taken: Sequence[Entry | threading.Event]) -> None:
        group: list[Entry] = []
        rows = 0
        for item in [*taken, None]:
            entry = item if isinstance(item, Entry) else None
            if group and (entry is None or rows >= _BATCH or _splits(group[-1], entry)):
                self._write(group, rows)
                group, rows = [], 0
            if entry is not None:
                group.append(entry)
                rows += entry.call.rows
            elif isinstance(item, threading.Event):
                self._patiently(self._close_segment)
                item.set()

    def _write(self, group: list[Entry], rows: int) -> None:
        try:
            batch = logbatch.batch([x for entry in group for x in self._parts(entry)], self.policy)
            if batch is not None:
                self._patiently(lambda: self._append(batch))
        except Exception:  # what cannot be written must not end the log
            _LOG.exception("predictions could not be logged")
        with self._lock:
            self._pending -= rows
            self._lock.notify_all()

    def _patiently(self, write: Any) -> None:
        """Repeat `write` while the disk refuses; meanwhile the rows are held and requests wait."""
        while True:
            try:
                write()
                return
            except OSError as exc:
                self._counters.add("mlops_log_stalls_total")
                _LOG.warning("the prediction log cannot be written: %s", exc)
                time.sleep(1.0)

    def _append(self, batch: Any) -> None:
        if self._segment is None or self._segment.schema != batch.schema:
            self._close_segment()
            self._number += 1
            name = f"{self._writer}-{self._number:06d}.arrows"
            self._segment = _Segment(self._folder / OPEN / name, batch.schema)
        self._segment.append(batch)
        self._counters.add("mlops_log_rows_total", batch.num_rows)
        if self._segment.size >= _SEGMENT_BYTES:
            self._close_segment()

    def _close_segment(self) -> None:
        if self._segment is not None:
            self._segment.seal(self._folder / SEALED)
            self._segment = None

    def _parts(self, entry: Entry) -> list[Answered]:
        """Return the answer and what each shadow would have said."""
        parts = [Answered(entry, entry.variant, entry.score)]
        for shadow in entry.shadows:
            model = shadow.model
            try:
                outputs = run(model, entry.call.columns)
            except Exception as exc:  # a challenger may fail as it likes
                self._counters.add("mlops_shadow_errors_total", entry.call.rows)
                _LOG.warning("the shadow %s v%d failed: %s", model.name, model.version, exc)
                continue
            parts.append(Answered(entry, shadow, outputs[model.schema.outputs[0].name]))
            count_rows(self._counters, shadow, entry.call.rows)
        return parts


class _Segment:
    """One Arrow IPC stream that grows by whole messages."""

    def __init__(self, path: Path, schema: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.schema = schema
        self.size = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._put(schema.serialize().to_pybytes())

    def append(self, batch: Any) -> None:
        self._put(batch.serialize().to_pybytes())

    def seal(self, folder: Path) -> None:
        """End the stream, flush it to the disk and move it to `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._put(_END_OF_STREAM)
        os.fsync(self._file)
        self.path.replace(folder / self.path.name)
        os.close(self._file)

    def _put(self, data: bytes) -> None:
        try:
            written = os.write(self._file, data)
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
            raise
        self.size += len(data)


def _splits(last: Entry, entry: Entry) -> bool:
    """Return whether `entry` has other columns than `last`, so that it needs another batch."""
    return (
        last.inputs is not entry.inputs
        or last.score.ndim != entry.score.ndim
        or last.score.dtype != entry.score.dtype
    )
