"""A remote: a place elsewhere that keeps objects, and is reached only from here.

What is particular to a kind of place lives in a room of its own behind one `Backend`;
`remote_kinds` knows them all.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mlops_cli.errors import MlopsError
from mlops_cli.store.remotes.errors import explain, worth
from mlops_cli.store.remotes.patience import PATIENT, Patience
from mlops_cli.store.remotes.url import remote_id

PART = 10 << 20  # bytes of one request when much is read or written: a pack, and no less

Answer = TypeVar("Answer")
Parts = Sequence[bytes | memoryview]


@dataclass(slots=True)
class Requests:
    """How often the remote was asked, repetitions too: requests cost money and time."""

    lists: int = 0
    reads: int = 0
    writes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, kind: str) -> None:
        """Count one request of `kind`: lists, reads or writes."""
        with self._lock:
            setattr(self, kind, getattr(self, kind) + 1)

    @property
    def total(self) -> int:
        """All requests together."""
        return self.lists + self.reads + self.writes


class Backend(Protocol):
    """One kind of place. Names are relative to it; each call is one attempt and counts itself."""

    @property
    def lanes(self) -> int:
        """How many transfers to have under way at once."""

    @property
    def writable(self) -> bool:
        """Whether this kind of place can be written at all."""

    def list(self, folder: str) -> dict[str, int]:
        """Return name → size of all files below `folder`; empty when there is no such folder."""

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """Return the bytes from `start` to before `end`, or None where `name` is not there."""

    def write(self, name: str, parts: Parts, *, replace: bool) -> None:
        """Write a whole file at once; without `replace`, what is there with that size stays."""

    def writing(self, name: str, size: int) -> contextlib.AbstractContextManager[Any]:
        """Offer a file to stream about `size` bytes to; it gets its name when all went well."""


@dataclass(frozen=True, slots=True)
class Remote:
    """An open remote. Names are relative to it, with forward slashes."""

    url: str
    backend: Backend
    requests: Requests
    folder: Path | None = None  # where it is on this machine's disks, if it is
    listing: bool = True  # whether a push leaves a list of the index for those who cannot list
    compress: bool = False  # whether what is sent is stored as zstd where that is shorter
    patience: Patience = PATIENT

    @property
    def id(self) -> str:
        """Name what this machine remembers about the remote."""
        return remote_id(self.url)

    @property
    def lanes(self) -> int:
        """How many transfers to have under way at once."""
        return self.backend.lanes

    def list(self, folder: str) -> dict[str, int]:
        """Return name → size of all files below `folder`; empty when there is no such folder."""
        found = self._asked("list", lambda: self.backend.list(folder))
        return {name: size for name, size in found.items() if _sound(name)}

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """Return the bytes of `name` from `start` to before `end`, fewer where it is shorter;
        None when it is not there.
        """
        return self._asked("read", lambda: self.backend.read(name, start, end))

    def write(self, name: str, data: bytes | Parts, *, replace: bool = True) -> None:
        """Write a whole file, which may lie in parts; a reader sees all of it or nothing.

        Without `replace`, what lies there already with the same size is left as it is: names
        say what is in a file.
        """
        parts = [data] if isinstance(data, bytes) else data
        self._asked("write", lambda: self.backend.write(name, parts, replace=replace))

    @contextlib.contextmanager
    def writing(self, name: str, size: int) -> Iterator[Any]:
        """Offer a file to stream about `size` bytes to; it gets its name when the block ends well.

        An error inside the block leaves nothing behind.
        """
        with self.translated("write"), self.backend.writing(name, size) as target:
            yield target

    def refuse_if_read_only(self) -> None:
        """Raise OutsideWorld ("remote-read-only") where it can be told before anything is sent."""
        if not self.backend.writable:
            raise explain(PermissionError(), url=self.url, doing="write")

    def _asked(self, doing: str, call: Callable[[], Answer]) -> Answer:
        with self.translated(doing):
            return self.patience.ask(call, worth=worth)

    @contextlib.contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Turn the error of any backend into one that a person can act on."""
        try:
            yield
        except MlopsError:
            raise
        except Exception as exc:  # every backend has its own errors; this is where they end
            raise explain(exc, url=self.url, doing=doing) from exc


def _sound(name: str) -> bool:
    """Tell whether `name`, which a stranger may have chosen, stays below the folder it is for."""
    parts = name.split("/")
    wild = {"", ".", ".."}.intersection(parts) or "\0" in name or "\\" in name
    return not wild and not parts[-1].startswith(".tmp-")
