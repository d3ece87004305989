"""The chunks of a remote, each found by its digest and verified."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from mlops_cli.progress import Task
from mlops_cli.store import frames
from mlops_cli.store.chunks import MOST
from mlops_cli.store.recipes import Recipe
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.transfer.chunk_table import ChunkTable, chunk_table
from mlops_cli.store.transfer.remote_index import PACKED, RemoteIndex, Spot, parts


@dataclass
class RemoteChunks:
    """What is in the packs of a remote; several threads may ask."""

    remote: Remote
    index: RemoteIndex
    task: Task
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def home(self, raw: bytes) -> str | None:
        """Return the index file by which a chunk is found, None where none names it."""
        spots = self._spots(raw)
        return self._homes[spots[0].name] if spots else None

    def get(self, raw: bytes) -> bytes | memoryview | None:
        """Return the chunk, None where there is no good copy of it."""
        for spot in self._spots(raw):
            record = self.remote.read(spot.name, spot.offset, spot.offset + spot.length) or b""
            self.task.advance(len(record))
            if (data := frames.plain(raw, record, at_most=MOST)) is not None:
                return data
        return None

    def make(self, raw: bytes, recipe: Recipe) -> bool:
        """Tell whether the chunks of `recipe` are the object `raw`."""
        state = sha256()
        for chunk in recipe:
            data = self.get(chunk.raw)
            if data is None or len(data) != chunk.length:
                return False
            state.update(data)
        return state.digest() == raw

    def _spots(self, raw: bytes) -> list[Spot]:
        with self._lock:  # the table remembers where it looked last
            return self._table.spots(raw)

    @cached_property
    def _table(self) -> ChunkTable:
        return chunk_table(self.index)

    @cached_property
    def _homes(self) -> dict[str, str]:
        names = [name for name in self.index.names if name.endswith(PACKED)]
        return {place: name for name in names for place, _ in parts(self.index.read(name), name)}
