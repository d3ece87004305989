"""Small objects together in one file, and the folder of such files."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mlops_cli import fsio
from mlops_cli.store.digest import RAW_LENGTH, Digest
from mlops_cli.store.objects import listing
from mlops_cli.store.pack_index import INDEX_START, ROW, Index, index_name, index_rows, write_index

PACK_MAGIC = b"mlops.pack/1\n"
RECORD = struct.Struct(">32sQ")  # before each object: its digest, its length
PACK_BELOW = 128 << 10  # bytes; larger objects gain nothing from a pack and could not be linked
SEAL_AT = 64 << 20  # bytes after which a writer begins the next pack
READ_ONLY = 0o444

_SWEPT = 16  # rows of an index passed over in the time that one search takes
_GAP, _STRETCH = 16 << 10, 1 << 20  # bytes between neighbours; bytes read at once
_HANDLES = 64  # packs held open at a time
_TICK = 50_000_000  # ns
_NEVER, _RECENTLY = -2, -1  # beside the times at which the folder was looked at


class Place(NamedTuple):
    """Where the bytes of one object are."""

    pack: Path
    offset: int
    length: int


@dataclass(slots=True)
class PackStore:
    """`packs/<digest>.pack` and `.idx`. The one changing thing inside is what it has open."""

    root: Path  # the cache, not its packs/ folder
    _open: dict[str, Index] = field(default_factory=dict)
    _seen: int = _NEVER
    _handles: dict[Path, tuple[int, int]] = field(default_factory=dict)  # handle, length
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def folder(self) -> Path:
        """The packs/ folder."""
        return self.root / "packs"

    def find(self, raw: bytes, *, again: bool = True) -> Place | None:
        """Return where the object lies, or None.

        With `again`, packs that others sealed since the folder was last looked at count as well.
        """
        table = self._open
        if found := self._find(raw):
            return found
        if not again and self._seen != _NEVER:
            return None
        self.refresh()
        # another thread may have looked again meanwhile, so that this one found nothing new
        return None if self._open is table else self._find(raw)

    def discard(self, raws: set[bytes]) -> None:
        """Take those of `raws` that lie in a pack out of the set.

        One sweep over an index costs less than a search for each of many.
        """
        self.refresh()
        for index in list(self._open.values()):
            if not raws:
                return
            rows, count = index.rows, index.fanout[256]
            if len(raws) * _SWEPT > count:
                ends = range(INDEX_START, INDEX_START + count * ROW.size, ROW.size)
                raws.difference_update([rows[at : at + RAW_LENGTH] for at in ends])
            else:
                raws.difference_update([raw for raw in raws if index.find(raw)])

    def stretches(self, raws: Sequence[bytes]) -> Iterator[tuple[int, memoryview]]:
        """Yield (position in `raws`, unverified bytes) of those in packs, neighbours read at once.

        Not in the order of `raws`; whatever is not found, or went away meanwhile, is left out.
        """
        by_index: dict[Index, list[tuple[int, int, int]]] = {}
        found = self._find_many(set(raws))
        for at, raw in enumerate(raws):
            if place := found.get(raw):
                index, offset, length = place
                by_index.setdefault(index, []).append((offset, length, at))
        for index, rows in by_index.items():
            pack = index.pack
            rows.sort()
            first = 0
            while first < len(rows):
                last, start = first, rows[first][0]
                end = start + rows[first][1]
                while last + 1 < len(rows):
                    offset, length, _ = rows[last + 1]
                    if offset > end + _GAP or offset + length > start + _STRETCH:
                        break
                    last, end = last + 1, max(end, offset + length)
                try:
                    data = memoryview(self.read(Place(pack, start, end - start)))
                except FileNotFoundError:
                    break
                if len(data) == end - start:  # else the pack was cut off, and each must be asked
                    for offset, length, at in rows[first : last + 1]:
                        yield at, data[offset - start : offset - start + length]
                first = last + 1

    def _find(self, raw: bytes) -> Place | None:
        for name, index in self._open.items():
            if found := index.find(raw):
                if next(iter(self._open)) != name:
                    # neighbours are asked for together: look here first the next time
                    self._open = {name: index, **self._open}
                return Place(index.pack, *found)
        return None

    def _find_many(self, left: set[bytes]) -> dict[bytes, tuple[Index, int, int]]:
        """Return where those of `left` lie that are in packs, taking them out of the set."""
        if self._seen == _NEVER:
            self.refresh()
        found: dict[bytes, tuple[Index, int, int]] = {}
        for name, index in self._open.items():
            if not left:
                break
            if len(left) * _SWEPT > index.fanout[256]:
                rows = index_rows(index.rows)
                here = {raw: (index, at, length) for raw, at, length in rows if raw in left}
            else:
                here = {raw: (index, *place) for raw in left if (place := index.find(raw))}
            if here:
                found.update(here)
                left.difference_update(here)
                self._open = {name: index, **self._open}  # as in `_find`
        return found

    def refresh(self) -> None:
        """Look at the folder again if it changed."""
        with self._lock:
            try:
                changed = os.stat(self.folder).st_mtime_ns
            except FileNotFoundError:
                changed = 0
            if changed == self._seen:
                return
            names = [name[:-4] for name in listing(self.folder) if name.endswith(".idx")]
            former, now = self._open, {}
            for name in names:
                with contextlib.suppress(ValueError, FileNotFoundError):
                    now[name] = former.get(name) or Index(self.folder / f"{name}.idx")
            for gone in former.keys() - now.keys():
                self._close(self.folder / f"{gone}.pack")
            if now.keys() != former.keys():
                # other threads may be walking the former table: it is replaced and never changed
                self._open = now
            # two changes within one tick of the disk's clock look like one: distrust a fresh one
            self._seen = changed if time.time_ns() - changed > _TICK else _RECENTLY

    def read(self, place: Place) -> bytes:
        """Return the bytes at `place`, unverified; short when the pack was cut off.

        Raises FileNotFoundError when the pack is gone, as after another process dropped an object
        from it: look for the object again.
        """
        with self._lock:  # else another thread might close the handle in between
            opened = self._handles.get(place.pack)
            if opened is None:
                handle = os.open(place.pack, os.O_RDONLY | os.O_CLOEXEC)
                if len(self._handles) >= _HANDLES:
                    self._close(next(iter(self._handles)))
                opened = self._handles[place.pack] = (handle, os.fstat(handle).st_size)
            handle, end = opened
            if place.offset + place.length > end:
                return b""  # a damaged index may promise more bytes than there is memory
            return os.pread(handle, place.length, place.offset)

    def _close(self, pack: Path) -> None:
        opened = self._handles.pop(pack, None)
        if opened is not None:
            os.close(opened[0])

    def forget(self, pack: Path) -> None:
        """Take note that `pack` is gone: the folder is looked at again with the next question."""
        self._open = {name: index for name, index in self._open.items() if name != pack.stem}
        self._seen = _RECENTLY
        if pack.with_suffix(".idx").exists() and not pack.exists():
            # an index without its pack promises what nobody has
            with contextlib.suppress(OSError):
                pack.with_suffix(".idx").unlink()

    def drop(self, raw: bytes, pack: Path) -> list[bytes]:
        """Take a damaged object out of the index of `pack`; return it and all that went with it,
        which is what lies behind the end of a pack that was cut off.

        A pack is called by its index, so pack and index both get a new name: first the pack a
        second name, then the new index, and only then the old ones go.
        """
        old = pack.with_suffix(".idx")
        with fsio.lock(self.folder / ".lock", what="the packs of the cache", wait=30):
            try:
                data, end = old.read_bytes(), pack.stat().st_size
            except FileNotFoundError:
                self.forget(pack)
                return [raw]  # another process has just done it
            rows = {r: (at, length) for r, at, length in index_rows(data)}
            gone = {r for r, (at, length) in rows.items() if r == raw or at + length > end}
            if not gone:
                return []
            kept = {r: place for r, place in rows.items() if r not in gone}
            if kept:
                index = write_index(kept)
                renamed = self.folder / f"{index_name(index)}.pack"
                second_name(pack, renamed)
                fsio.write_atomic(renamed.with_suffix(".idx"), index, mode=READ_ONLY)
            old.unlink(missing_ok=True)
            pack.unlink(missing_ok=True)
        self._seen = _RECENTLY
        self.refresh()
        return sorted(gone)

    def names(self) -> list[str]:
        """Return the digits of all sealed packs that can be read."""
        self.refresh()
        return sorted(self._open)

    def iterate(self) -> Iterator[Digest]:
        """Yield the digests of all packed objects; one that lies in two packs comes twice."""
        self.refresh()
        for index in list(self._open.values()):
            for raw, _, _ in index_rows(index.rows):
                yield Digest.from_raw(raw)


def second_name(pack: Path, renamed: Path) -> None:
    """Let `pack` be found under the name `renamed` as well, or instead where links are not had."""
    try:
        os.link(pack, renamed)
    except (FileExistsError, FileNotFoundError):
        pass
    except OSError:  # a disk without hard links
        os.replace(pack, renamed)
