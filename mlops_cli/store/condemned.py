"""What nothing needed at the last look, and since when; what a writer came to rely upon since."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops_cli import encode, fsio
from mlops_cli.store import pack_index
from mlops_cli.store.pack_index import Index

NAME = "gc/condemned.idx"
SPARED = "gc/spared"
CLOCK = "gc/clock.json"
SLACK = 3600  # seconds by which two clocks of one machine may drift apart between two looks


@dataclass(frozen=True, slots=True)
class Moment:
    """A time by two clocks: the calendar, which people set, and the machine's own, which counts
    from its start (`boot` names that; None where only the calendar is known)."""

    calendar: int
    running: int = 0
    boot: str | None = None


class Condemned:
    """What was condemned, as a writer sees it: whoever relies on such an object spares it."""

    __slots__ = ("_index", "_root")

    def __init__(self, root: Path) -> None:
        self._root = root
        self._index = _open(root)

    def rely(self, *raws: bytes) -> None:
        """Take note that the objects, which are here and so were not stored, are needed again.

        Whoever calls this holds the lease.
        """
        if self._index is not None:
            for raw in raws:
                if self._index.find(raw) is not None:
                    spare(self._root, raw)


def spare(root: Path, raw: bytes) -> None:
    """Keep the next sweep from `raw`. Raises OutsideWorld ("disk-full", "cannot-write")."""
    path = root / SPARED
    with fsio.translated(path):
        handle = fsio.open_shared(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            # a line that was cut short before this one does not take it along
            os.write(handle, b"\n" + raw.hex().encode() + b"\n")
        finally:
            os.close(handle)


def spared(root: Path) -> set[bytes]:
    """Return what writers spared since the last sweep."""
    try:
        lines = (root / SPARED).read_bytes().split(b"\n")
    except FileNotFoundError:
        return set()
    return {bytes.fromhex(line.decode()) for line in lines if len(line) == 64}


def load(root: Path) -> dict[bytes, int]:
    """Return raw digest → since when (seconds since 1970) nothing has needed it."""
    index = _open(root)
    if index is None:
        return {}
    return {raw: since for raw, since, _ in pack_index.index_rows(index.rows)}


def save(root: Path, since: Mapping[bytes, int], sizes: Mapping[bytes, int]) -> None:
    """Remember what is condemned; the sizes are for people who look."""
    rows = {raw: (moment, sizes.get(raw, 0)) for raw, moment in since.items()}
    if rows or (root / NAME).exists():
        fsio.write_atomic(root / NAME, pack_index.write_index(rows))


def looked(root: Path, since: Mapping[bytes, int], sizes: Mapping[bytes, int], now: Moment) -> None:
    """Remember this look: `since` has all that nothing needs, without what was spared, which
    begins anew with the next look. Whoever calls this holds off all writers.
    """
    stamp = {"calendar": now.calendar, "running": now.running, "boot": now.boot}
    save(root, since, sizes)
    fsio.write_atomic(root / CLOCK, encode.readable_json(stamp))
    (root / SPARED).unlink(missing_ok=True)


def aged(root: Path, unneeded: Iterable[bytes], now: Moment) -> dict[bytes, int]:
    """Return since when each of `unneeded` is so: as remembered, or from now on.

    Times in the future count as now. Where the machine has run on since the last look and the
    calendar leapt ahead of it, nothing has aged by the leap.
    """
    former, leap = load(root), _leap(root, now)
    return {raw: min(former.get(raw, now.calendar) + leap, now.calendar) for raw in unneeded}


def _leap(root: Path, now: Moment) -> int:
    """Return how many seconds the calendar gained on the machine's own clock."""
    try:
        last = encode.parse_json((root / CLOCK).read_bytes(), source=CLOCK)
        if now.boot is None or last["boot"] != now.boot:
            return 0
        gained = (now.calendar - last["calendar"]) - (now.running - last["running"])
        return gained if gained > SLACK else 0
    except FileNotFoundError:
        return 0
    except Exception:  # a stamp that cannot be read: begin anew rather than believe too much
        return now.calendar


def _open(root: Path) -> Index | None:
    try:
        return Index(root / NAME)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None  # nothing is condemned; or it cannot be read, and the next look begins anew
