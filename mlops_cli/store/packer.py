"""A pack while it is open: appended to by one process, sealed by rename, or never heard of."""

from __future__ import annotations

import os
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.store import pack_index, packs

_FLUSH_BYTES = 1 << 20
_FLUSH_PIECES = 1000  # what the kernel takes at a time is 1024


class Packer:
    """Appends objects to one pack after another; whoever holds it calls `seal` or `abandon`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._rows: dict[bytes, tuple[int, int]] = {}
        self._path: Path | None = None
        self._handle = -1
        self._pieces: list[bytes] = []  # not yet written
        self._pending = 0
        self._end = 0

    def __len__(self) -> int:
        return len(self._rows)

    def has(self, raw: bytes) -> bool:
        """Return whether the object waits in the open pack."""
        return raw in self._rows

    def add(self, raw: bytes, data: bytes) -> None:
        """Append one object. Raises OutsideWorld ("disk-full")."""
        if raw in self._rows:
            return
        if self._end >= packs.SEAL_AT:
            self.seal()
        if self._path is None:
            self._begin()
        length = len(data)
        self._pieces += (packs.RECORD.pack(raw, length), data)
        self._rows[raw] = (self._end + packs.RECORD.size, length)
        self._end += packs.RECORD.size + length
        self._pending += packs.RECORD.size + length
        if self._pending >= _FLUSH_BYTES or len(self._pieces) >= _FLUSH_PIECES:
            self._flush()

    def seal(self) -> Path | None:
        """Flush the pack and give pack and index their name; return the index, None when empty.

        The pack is in place before its index, so an index never names bytes that are not there.
        """
        if self._path is None:
            return None
        index = pack_index.write_index(self._rows)
        target = self._root / "packs" / f"{pack_index.index_name(index)}.pack"
        try:
            self._flush()
            with fsio.translated(target):
                fsio.make_folder(target.parent)
                fsio.publish(self._path, target, mode=packs.READ_ONLY)
            fsio.write_atomic(target.with_suffix(".idx"), index, mode=packs.READ_ONLY)
        finally:
            self.abandon()
        return target.with_suffix(".idx")

    def abandon(self) -> None:
        """Forget the open pack; nothing refers to its bytes."""
        if self._path is None:
            return
        if self._handle >= 0:
            os.close(self._handle)
        self._path.unlink(missing_ok=True)
        self._path, self._handle, self._rows, self._end = None, -1, {}, 0
        self._pieces, self._pending = [], 0

    def _begin(self) -> None:
        with fsio.translated(self._root):
            self._path = fsio.temporary_beside(self._root / "tmp" / "pack")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._handle = os.open(self._path, flags, 0o600)
        self._pieces = [packs.PACK_MAGIC]
        self._end = self._pending = len(packs.PACK_MAGIC)

    def _flush(self) -> None:
        with fsio.translated(self._path or self._root):
            written = os.writev(self._handle, self._pieces)
            if written < self._pending:
                fsio.write_all(self._handle, b"".join(self._pieces)[written:])
        self._pieces, self._pending = [], 0
