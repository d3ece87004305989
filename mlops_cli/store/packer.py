"""A pack while it is open: appended to by one process, sealed by rename, or never heard of."""

from __future__ import annotations

import os
from io import BufferedWriter, FileIO
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.store import packs


class Packer:
    """Appends objects to one pack after another; whoever holds it calls `seal` or `abandon`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._rows: dict[bytes, tuple[int, int]] = {}
        self._stream: BufferedWriter | None = None
        self._path: Path | None = None
        self._end = 0

    def __len__(self) -> int:
        return len(self._rows)

    def has(self, raw: bytes) -> bool:
        """Return whether the object waits in the open pack."""
        return raw in self._rows

    def size(self, raw: bytes) -> int | None:
        """Return the length of an object that waits in the open pack."""
        row = self._rows.get(raw)
        return None if row is None else row[1]

    def add(self, raw: bytes, data: bytes) -> None:
        """Append one object. Raises OutsideWorld ("disk-full")."""
        if raw in self._rows:
            return
        if self._end >= packs.SEAL_AT:
            self.seal()
        stream = self._stream or self._begin()
        try:
            stream.write(packs.RECORD.pack(raw, len(data)))
            stream.write(data)
        except OSError as exc:
            with fsio.translated(self._path or self._root):
                raise exc
        self._rows[raw] = (self._end + packs.RECORD.size, len(data))
        self._end += packs.RECORD.size + len(data)

    def read(self, raw: bytes) -> bytes | None:
        """Return the bytes of an object that waits in the open pack."""
        row = self._rows.get(raw)
        if row is None or self._stream is None:
            return None
        self._stream.flush()
        return os.pread(self._stream.fileno(), row[1], row[0])

    def seal(self) -> Path | None:
        """Flush the pack and give pack and index their name; return the index, None when empty.

        The pack is in place before its index, so an index never names bytes that are not there.
        """
        if self._stream is None or self._path is None:
            return None
        index = packs.write_index(self._rows)
        target = self._root / "packs" / f"{packs.index_name(index)}.pack"
        path = self._path
        try:
            with fsio.translated(target):
                self._stream.close()
                target.parent.mkdir(parents=True, exist_ok=True)
                fsio.publish(path, target, mode=packs.READ_ONLY)
            fsio.write_atomic(target.with_suffix(".idx"), index, mode=packs.READ_ONLY)
        finally:
            self.abandon()
        return target.with_suffix(".idx")

    def abandon(self) -> None:
        """Forget the open pack; nothing refers to its bytes."""
        stream, path = self._stream, self._path
        self._stream, self._path, self._rows, self._end = None, None, {}, 0
        if stream is not None and not stream.closed:
            # closing the buffer would try to write the rest to a disk that may be full
            stream.detach().close()
        if path is not None:
            path.unlink(missing_ok=True)

    def _begin(self) -> BufferedWriter:
        self._path = fsio.temporary_beside(self._root / "tmp" / "pack")
        with fsio.translated(self._path):
            self._stream = BufferedWriter(FileIO(str(self._path), "x+"), 1 << 20)
            self._stream.write(packs.PACK_MAGIC)
        self._end = len(packs.PACK_MAGIC)
        return self._stream
