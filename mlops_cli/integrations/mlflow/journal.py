"""What a script logs, one line a change, kept until it is a record of the ledger.

A file for each thing that is under way, `.mlops/spool/<kind>.<id>.mlflow`: it outlives its process,
and gc reads there which objects are needed. Its first line says what it is of, which record it goes
on from, and whose it is. Writers hold `flock`; so does whoever makes records of it and removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

from mlops_cli.fsio import is_still, translated, write_all
from mlops_cli.integrations.mlflow.entity import Kind, kind_of

END = ".mlflow"


@dataclass(frozen=True, slots=True)
class Name:
    """What a journal is of."""

    kind: Kind
    id: str


@dataclass(frozen=True, slots=True)
class Journal:
    """The whole lines of one journal behind the place from which it was read."""

    name: Name
    head: Mapping[str, Any]
    changes: tuple[Mapping[str, Any], ...]
    first: bytes  # its first line, which no other journal of that name had
    end: int  # where a later reading goes on

    @property
    def abandoned(self) -> bool:
        """Whether the process that began it is gone, as far as this machine can tell."""
        host, pid = (*self.head.get("by", ()), None, None)[:2]
        if host != socket.gethostname() or not isinstance(pid, int):
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


@dataclass(frozen=True, slots=True)
class Journals:
    """The journals in a folder."""

    folder: Path

    def names(self) -> list[Name]:
        """Return what there are journals of."""
        found = []
        for path in sorted(self.folder.glob(f"*{END}")):
            kind, _, id_ = path.name.removesuffix(END).partition(".")
            with contextlib.suppress(ValueError):
                found.append(Name(kind_of(kind), unquote(id_)))
        return found

    def write(self, name: Name, change: Mapping[str, Any], *, base: str | None) -> None:
        """Add a line; a new journal begins with one that says it goes on from the record `base`."""
        path = self._path(name)
        line = json.dumps(change, separators=(",", ":")).encode() + b"\n"
        with translated(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            while True:
                handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX)
                    if not is_still(path, handle):
                        continue  # it became a record between open and lock
                    size = os.fstat(handle).st_size
                    if not size:
                        by = [socket.gethostname(), os.getpid()]
                        head = {"of": name.kind, "id": name.id, "base": base, "by": by}
                        line = json.dumps(head, separators=(",", ":")).encode() + b"\n" + line
                    elif os.pread(handle, 1, size - 1) != b"\n":
                        line = b"\n" + line  # a writer died within its line
                    write_all(handle, line)
                    return
                finally:
                    os.close(handle)

    def read(self, name: Name, after: Journal | None = None) -> Journal | None:
        """Return the journal of `name`, None where there is none; what was read as `after` is
        not read again."""
        try:
            with open(self._path(name), "rb") as file:
                return _read(name, file, after)
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def held(self, name: Name, after: Journal | None = None) -> Iterator[Journal | None]:
        """Hold the journal, so that nobody writes to it; None where there is none, or where
        another process makes records of it. It is removed at the end, unless an error ends it."""
        path = self._path(name)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not is_still(path, handle):
                yield None
                return
            with open(handle, "rb", closefd=False) as file:
                yield _read(name, file, after)
            path.unlink(missing_ok=True)
        finally:
            os.close(handle)

    def _path(self, name: Name) -> Path:
        return self.folder / f"{name.kind}.{quote(name.id, safe='')}{END}"


def _read(name: Name, file: BinaryIO, after: Journal | None) -> Journal:
    first = file.readline()
    same = after is not None and after.first == first
    start = after.end if after is not None and same else 0
    file.seek(start)
    data = file.read()
    data = data[: data.rfind(b"\n") + 1]
    lines: list[dict[str, Any]] = []
    for line in data.split(b"\n"):
        with contextlib.suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict):
                lines.append(value)
    if after is not None and same:
        return Journal(name, after.head, tuple(lines), first, start + len(data))
    head = lines[0] if lines and "of" in lines[0] else {}
    return Journal(name, head, tuple(lines[1:] if head else lines), first, len(data))
