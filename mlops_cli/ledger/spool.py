"""Lines that outlive their process: written the moment a thing happens, taken by the next flush.

One file a process, one line a record: its hex digest, a space, its canonical JSON. A line cut
short by a crash does not match its digest; it is set aside in `torn.txt` and stops nothing. The
lines are safe from the death of the process, not from that of the machine: no fsync, which would
cost more than most steps.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlops_cli.errors import StateRefused
from mlops_cli.fsio import is_still, translated, write_all
from mlops_cli.ledger.record import MOST, Record, parse

TORN = "torn.txt"


def write(folder: Path, record: Record) -> None:
    """Add `record` to the file of this process.

    Raises OutsideWorld ("disk-full", …), StateRefused ("record-too-large").
    """
    if len(record.data) > MOST:
        raise StateRefused(
            f"a record of {len(record.data):,} bytes is too large for the ledger",
            code="record-too-large",
            hint="keep lists in files: a record names them by their digest",
        )
    path = folder / f"{os.getpid()}.jsonl"
    line = record.digest.hex.encode() + b" " + record.data + b"\n"
    with translated(path):
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if not is_still(path, handle):
                    continue  # a flush took the file away between open and lock
                size = os.fstat(handle).st_size
                if size and os.pread(handle, 1, size - 1) != b"\n":
                    line = b"\n" + line  # an earlier process of this number died mid-line
                try:
                    write_all(handle, line)
                except OSError:
                    os.ftruncate(handle, size)  # no half line for the next to trip over
                    raise
                return
            finally:
                os.close(handle)


@dataclass(slots=True)
class Taken:
    """The lines of some spool files, held locked until they are dropped or let go."""

    records: list[Record] = field(default_factory=list)
    files: list[tuple[Path, int]] = field(default_factory=list)
    torn: list[bytes] = field(default_factory=list)

    def drop(self, folder: Path) -> None:
        """Delete the files: their records are safe elsewhere. Torn lines are kept aside."""
        if self.torn:
            with open(folder / TORN, "ab") as file:
                file.writelines(line + b"\n" for line in self.torn)
        for path, _ in self.files:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def take(folder: Path) -> Iterator[Taken]:
    """Hold all spool files in `folder`, those of dead processes and of other live ones too.

    A record is named by its bytes, so that taking it twice could do no harm; a file that another
    flush holds is left to it.
    """
    taken = Taken()
    try:
        for path in sorted(folder.glob("*.jsonl")):
            _hold(path, taken)
        yield taken
    finally:
        for _, handle in taken.files:
            os.close(handle)


def _hold(path: Path, taken: Taken) -> None:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    mine = path.stem == str(os.getpid())
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if mine else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(handle)
        return
    if not is_still(path, handle):
        os.close(handle)
        return
    taken.files.append((path, handle))
    with open(handle, "rb", closefd=False) as file:
        data = file.read()
    for line in data.split(b"\n"):
        if line:
            _read_line(line, taken)


def _read_line(line: bytes, taken: Taken) -> None:
    from mlops_cli.errors import IntegrityError

    name, _, data = line.partition(b" ")
    try:
        taken.records.append(
            parse(data, name=f"sha256:{name.decode('ascii', 'replace')}", source="the spool")
        )
    except IntegrityError:
        taken.torn.append(line)
