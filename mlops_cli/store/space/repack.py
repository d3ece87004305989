"""Packs written anew without what is to go, and small ones made into one.

First everything that stays is copied into new packs, which are sealed; then the old ones go. Killed
in between, an object lies in two packs, which readers do not mind, and the next time mends.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.store import frames, pack_index, packs
from mlops_cli.store.chunks import MOST
from mlops_cli.store.packer import Packer
from mlops_cli.store.packs import PackStore, Place

SMALL = packs.SEAL_AT // 4  # bytes below which a pack is worth merging with others


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Old packs, each with those of its objects that are in no new one, and the new packs."""

    old: dict[Path, frozenset[bytes]]
    fresh: frozenset[Path]


def dead(store: PackStore, doomed: Set[bytes]) -> Rewritten:
    """Return the packs of which nothing is to stay."""
    store.refresh()
    old = {
        pack: frozenset(rows)
        for pack, rows in _chosen(store, doomed, merge=False)
        if rows.keys() <= doomed
    }
    return Rewritten(old, frozenset())


def rewrite(store: PackStore, doomed: Set[bytes], *, merge: bool = False) -> Rewritten:
    """Copy what is to stay of all packs that hold something `doomed`, with `merge` also of small
    ones; nothing is removed yet.

    A pack with bytes that are not what they should be is left as it is, for `verify`.
    Raises OutsideWorld ("disk-full"), which leaves what was there before.
    """
    store.refresh()
    old: dict[Path, frozenset[bytes]] = {}
    keep: list[tuple[Path, list[tuple[int, int, bytes]]]] = []
    for pack, rows in _chosen(store, doomed, merge=merge):
        kept = sorted((at, length, raw) for raw, (at, length) in rows.items() if raw not in doomed)
        old[pack] = frozenset(rows) & doomed
        keep.append((pack, kept))
    fresh: set[Path] = set()
    copied: set[bytes] = set()
    packer, volume = Packer(store.root), 0
    try:
        for pack, kept in keep:
            for offset, length, raw in kept:
                if raw in copied:
                    continue
                stored = _read(store, Place(pack, offset, length))
                if stored is None or frames.plain(raw, stored, at_most=MOST) is None:
                    old.pop(pack, None)
                    break
                if volume >= packs.SEAL_AT:
                    fresh |= _sealed(packer)
                    volume = 0
                packer.add(raw, stored)
                copied.add(raw)
                volume += packs.RECORD.size + length
        fresh |= _sealed(packer)
    finally:
        packer.abandon()
    return Rewritten(old, frozenset(fresh))


def retire(store: PackStore, rewritten: Rewritten, saved: Set[bytes]) -> None:
    """Remove the old packs, except those that hold something that was `saved` meanwhile."""
    with fsio.lock(store.folder / ".lock", what="the packs of the cache", wait=30):
        for pack, gone in rewritten.old.items():
            if pack in rewritten.fresh or gone & saved:
                continue
            with fsio.translated(pack):
                pack.with_suffix(".idx").unlink(missing_ok=True)
                pack.unlink(missing_ok=True)
    store.refresh()


def _chosen(
    store: PackStore, doomed: Set[bytes], *, merge: bool
) -> list[tuple[Path, dict[bytes, tuple[int, int]]]]:
    tainted, small = [], []
    for name in store.names():
        pack = store.folder / f"{name}.pack"
        try:
            index, size = pack.with_suffix(".idx").read_bytes(), pack.stat().st_size
        except FileNotFoundError:
            continue
        rows = {raw: (at, length) for raw, at, length in pack_index.index_rows(index)}
        if not doomed.isdisjoint(rows):
            tainted.append((pack, rows))
        elif merge and size < SMALL:
            small.append((pack, rows))
    return tainted + (small if len(small) + len(tainted) > 1 else [])


def _read(store: PackStore, place: Place) -> bytes | None:
    try:
        return store.read(place)
    except FileNotFoundError:
        return None


def _sealed(packer: Packer) -> set[Path]:
    index = packer.seal()
    return {index.with_suffix(".pack")} if index else set()
