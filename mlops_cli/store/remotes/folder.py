"""A remote that is a folder on this machine's disks: mounted, synced, or carried about."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.store import footprint

if TYPE_CHECKING:
    from mlops_cli.store.remotes.remote import Parts, Requests

TEMPORARY = ".tmp-"
PIECES = 1024  # that the kernel takes with one call
LARGE = 1 << 20  # bytes of a file whose pages are not left in memory


@dataclass(frozen=True, slots=True)
class Folder:
    """Files below `base`; each appears under its name only when its bytes are on the disk."""

    base: Path
    requests: Requests
    lanes: int = 2  # a disk gains nothing from many

    @property
    def writable(self) -> bool:
        """Whether a file could be created there now: tried, because only the kernel knows."""
        place = self.base if self.base.exists() else self.base.parent
        probe = place / f"{TEMPORARY}{os.urandom(6).hex()}"
        try:
            probe.touch()
            probe.unlink()
        except PermissionError:
            return False
        except OSError as exc:
            return exc.errno != errno.EROFS
        return True

    def list(self, folder: str) -> dict[str, int]:
        """Return name → size of all files below `folder`."""
        self.requests.add("lists")
        found: dict[str, int] = {}
        top = self.base / folder
        pending = [""]
        while pending:
            inner = pending.pop()
            try:
                entries = os.scandir(top / inner)
            except FileNotFoundError:
                continue
            with entries:
                for entry in entries:
                    name = f"{inner}/{entry.name}" if inner else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(name)
                    elif entry.is_file():
                        with contextlib.suppress(FileNotFoundError):  # a temporary that is gone
                            found[name] = entry.stat().st_size
        return found

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """Return a part of a file."""
        self.requests.add("reads")
        try:
            with (self.base / name).open("rb", buffering=0) as source:
                size = os.fstat(source.fileno()).st_size
                begin, wanted = start, max(0, min(end, size) - start)
                passing = wanted >= LARGE and footprint.absent(source.fileno(), start)
                parts = []
                while wanted and (part := os.pread(source.fileno(), wanted, start)):
                    parts.append(part)
                    start += len(part)
                    wanted -= len(part)
                if passing:
                    footprint.forget(source.fileno(), begin, start)
                return parts[0] if len(parts) == 1 else b"".join(parts)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def write(self, name: str, parts: Parts, *, replace: bool) -> None:
        """Write beside, flush, rename; the bytes are on the disk before their name."""
        size = sum(map(len, parts))
        if not replace and self._holds(self.base / name, size):
            self.requests.add("writes")
            return
        with self.writing(name, size) as sink:
            for start in range(0, len(parts), PIECES):
                some = parts[start : start + PIECES]
                written = os.writev(sink.fileno(), some)
                if written < sum(map(len, some)):
                    rest = memoryview(b"".join(some))[written:]
                    while rest:
                        rest = rest[sink.write(rest) :]

    @contextlib.contextmanager
    def writing(self, name: str, size: int) -> Iterator[Any]:
        """Offer a file to stream to; an error in the block leaves nothing behind."""
        self.requests.add("writes")
        target = self.base / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f"{TEMPORARY}{os.urandom(6).hex()}-{target.name[:16]}"
        try:
            with temporary.open("xb", buffering=0) as sink:
                yield sink
                os.fsync(sink.fileno())
                if size >= LARGE:  # who reads it next is another machine
                    footprint.forget(sink.fileno(), 0, size)
            temporary.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    @staticmethod
    def _holds(target: Path, size: int) -> bool:
        try:
            return target.stat().st_size == size
        except OSError:
            return False
