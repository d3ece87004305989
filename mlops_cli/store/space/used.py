"""When what was last wanted: one line for each file or folder that a command brought or took.

The access times of the disk would not do: many disks keep none, and setting one by hand changes
what the stat cache knows of a linked file.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import OutsideWorld

NAME = "gc/used"
ROW = struct.Struct(">32sQ")  # raw digest of a file or tree, seconds since 1970
FOLD_AT = 4 << 20  # bytes from which on the journal is written anew with one row for each digest


def note(cache_root: Path, raws: list[bytes], now: int) -> None:
    """Remember that `raws` were wanted now; a cache that cannot be written remembers nothing."""
    path = cache_root / NAME
    try:
        handle = fsio.open_shared(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(handle, b"".join([ROW.pack(raw, now) for raw in raws]))
        finally:
            os.close(handle)
    except OSError:
        pass


def times(cache_root: Path, *, now: int) -> dict[bytes, int]:
    """Return raw digest → when it was last wanted; a time in the future counts as now."""
    path = cache_root / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    found: dict[bytes, int] = {}
    # rows that a full disk cut short shift the ones behind them into nonsense: digests that do
    # not exist, which nobody asks for
    for raw, moment in ROW.iter_unpack(data[: len(data) - len(data) % ROW.size]):
        found[raw] = max(found.get(raw, 0), min(moment, now))
    if len(data) >= FOLD_AT:
        try:
            fsio.write_atomic(path, b"".join(ROW.pack(*row) for row in found.items()))
        except OutsideWorld:  # the journal stays long
            pass
    return found
