"""A pack tells what is in it: an index that is lost or wrong is made again from the pack alone."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.store import pack_index, packs
from mlops_cli.store.objects import listing
from mlops_cli.store.packs import PackStore


def reindex(store: PackStore, wanted: set[bytes]) -> set[str]:
    """Make the index of each pack again that has none or a wrong one, or that holds an object
    which is `wanted` and stands in no index; return the names of these packs."""
    names = [name[:-5] for name in listing(store.folder) if name.endswith(".pack")]
    unsound = [
        name
        for name in names
        if not _sound(store.folder / f"{name}.idx")
        or (wanted and not wanted.isdisjoint(_rows(store.folder / f"{name}.pack", wanted)))
    ]
    if unsound:
        with fsio.lock(store.folder / ".lock", what="the packs of the cache", wait=30):
            for name in unsound:
                _again(store, store.folder / f"{name}.pack")
    return {f"packs/{name}" for name in unsound}


def _again(store: PackStore, pack: Path) -> None:
    try:
        rows = _rows(pack)
    except FileNotFoundError:  # another process has done it
        return
    former = pack.with_suffix(".idx")
    if rows:
        index = pack_index.write_index(rows)
        renamed = store.folder / f"{pack_index.index_name(index)}.pack"
        packs.second_name(pack, renamed)
        fsio.write_atomic(renamed.with_suffix(".idx"), index, mode=packs.READ_ONLY)
        if renamed == pack:
            store.forget(pack)
            return
    former.unlink(missing_ok=True)
    pack.unlink(missing_ok=True)
    store.forget(pack)


def _sound(path: Path) -> bool:
    try:
        index = path.read_bytes()
    except FileNotFoundError:
        return False
    return pack_index.well_formed(index) and pack_index.index_name(index) == path.stem


def _rows(pack: Path, wanted: set[bytes] | None = None) -> dict[bytes, tuple[int, int]]:
    """Return where each object of the pack (or those `wanted`) lies whose bytes are right.

    The heads between them lead from one to the next; where one of them is wrong, what is left of
    the former index may still know the rest.
    """
    rows: dict[bytes, tuple[int, int]] = {}
    with pack.open("rb") as handle:
        if not os.fstat(handle.fileno()).st_size:
            return rows
        data = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)

    def take(raw: bytes, at: int, length: int) -> None:
        if wanted is not None and raw not in wanted:
            return
        if at + length <= len(data) and hashlib.sha256(data[at : at + length]).digest() == raw:
            rows.setdefault(raw, (at, length))

    end = len(packs.PACK_MAGIC)
    while end + packs.RECORD.size <= len(data):
        raw, length = packs.RECORD.unpack_from(data, end)
        end += packs.RECORD.size
        take(raw, end, length)
        end += length
    with contextlib.suppress(FileNotFoundError):
        former = pack.with_suffix(".idx").read_bytes()
        whole = len(former) - (len(former) - pack_index.INDEX_START) % pack_index.ROW.size
        for row in pack_index.index_rows(former[: max(whole, 0)]):
            if row[0] not in rows:
                take(*row)
    return rows
