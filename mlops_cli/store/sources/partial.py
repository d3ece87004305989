"""A download as far as it came: on the disk, with its hash, so that the next process goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path

from mlops_cli import encode, fsio
from mlops_cli.errors import OutsideWorld
from mlops_cli.progress import Task
from mlops_cli.store.sources.source import Broken, Source, Version

FORGOTTEN_AFTER = 7 * 86400.0  # seconds after which nobody goes on with it


class Partial:
    """One download: what is on the disk so far, and the hash of just that."""

    def __init__(self, source: Source, part: Path, task: Task) -> None:
        self.source, self.part, self.task = source, part, task
        self.note = part.with_suffix(".json")
        self.state = hashlib.sha256()
        self.size = 0
        self.noted: Version | None = None
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError, AttributeError):
            value = json.loads(self.note.read_bytes())
            if value["url"] == source.url:
                self.noted = Version.of(value)
                with part.open("rb") as file:  # what an earlier process had
                    while block := file.read(1 << 20):
                        self.state.update(block)
                        self.size += len(block)

    def go_on(self) -> Version:
        """Fetch what is missing. Raises Broken with all that came on the disk."""
        stream = self.source.stream(self.size, self.noted)
        version = stream.version
        with fsio.translated(self.part):
            self.part.parent.mkdir(parents=True, exist_ok=True)
            if stream.start == 0 or stream.start != self.size:
                self.state, self.size = hashlib.sha256(), 0
                self.part.write_bytes(b"")
                self.noted = version
                note = {"url": self.source.url, **version.plain()}
                fsio.write_atomic(self.note, encode.readable_json(note), durable=False)
        if version.size is not None:
            self.task.expect(version.size)
        with self.part.open("ab", buffering=0) as file:
            for block in stream.blocks:
                with fsio.translated(self.part):
                    view = memoryview(block)
                    while view:
                        view = view[file.write(view) or 0 :]
                self.state.update(block)
                self.size += len(block)
                self.task.advance(len(block))
        if version.size is not None and self.size != version.size:
            raise Broken(_truncated(self.source.url, self.size, version.size))
        return version


def sweep(folder: Path) -> None:
    """Remove downloads that nobody went on with."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder):
            path = folder / name
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > FORGOTTEN_AFTER:
                    path.unlink()


def _truncated(url: str, got: int, wanted: int) -> OutsideWorld:
    return OutsideWorld(
        f"{url} ended after {got} of {wanted} bytes",
        code="source-truncated",
        hint="run the same command again; it goes on where it ended",
        details={"url": url, "got": got, "expected": wanted},
    )
