"""A remote on a machine that is reached by ssh.

What `~/.ssh/config` says of the host holds, and a host whose key is not in `known_hosts` is
refused. Keys come from the agent or the configuration; there is no way to give a password.
"""

from __future__ import annotations

import contextlib
import secrets
import stat
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.store.remotes.remote import Parts, Requests
from mlops_cli.store.remotes.ssh_line import Line, line_to

WINDOW = 1 << 20  # what is asked for before the first answer is here


@dataclass(frozen=True, slots=True)
class Sftp:
    """Files below `base` on one host."""

    line: Line
    base: str
    requests: Requests
    lanes: int = 4
    writable: bool = True

    def list(self, folder: str) -> dict[str, int]:
        """Return name → size of all files below `folder`: a request for each folder."""
        found: dict[str, int] = {}
        pending = [""]
        while pending:
            inner = pending.pop()
            place = "/".join(part for part in (self.base, folder, inner) if part)
            self.requests.add("lists")
            try:
                with self.line.channel() as channel:
                    entries = channel.listdir_attr(place)
            except FileNotFoundError:
                continue
            for entry in entries:
                name = f"{inner}/{entry.filename}" if inner else entry.filename
                if stat.S_ISDIR(entry.st_mode or 0):
                    pending.append(name)
                elif stat.S_ISREG(entry.st_mode or 0):
                    found[name] = int(entry.st_size or 0)
        return found

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """Return a part of a file; many small answers are under way at once."""
        self.requests.add("reads")
        try:
            with self.line.channel() as channel, channel.open(self._place(name), "rb") as source:
                size = int(source.stat().st_size or 0)
                wanted = range(start, min(end, size), WINDOW)
                pieces = [(at, min(WINDOW, end - at, size - at)) for at in wanted]
                return b"".join(source.readv(pieces))
        except FileNotFoundError:
            return None

    def write(self, name: str, parts: Parts, *, replace: bool) -> None:
        """Write beside and rename; what is there with that size stays, unless `replace`."""
        size = sum(map(len, parts))
        if not replace and self._size(name) == size:
            return
        with self.writing(name, size) as sink:
            for part in parts:
                sink.write(part)

    @contextlib.contextmanager
    def writing(self, name: str, size: int) -> Iterator[Any]:
        """Offer a file to stream to; an error in the block leaves nothing behind."""
        self.requests.add("writes")
        target = self._place(name)
        folder, _, last = target.rpartition("/")
        temporary = f"{folder}/.tmp-{secrets.token_hex(6)}-{last[:16]}"
        with self.line.channel() as channel:
            try:
                with _created(channel, temporary) as sink:
                    sink.set_pipelined(True)
                    yield sink
                channel.posix_rename(temporary, target)
            except BaseException:
                with contextlib.suppress(Exception):
                    channel.remove(temporary)
                raise

    def _size(self, name: str) -> int | None:
        self.requests.add("reads")
        try:
            with self.line.channel() as channel:
                return int(channel.stat(self._place(name)).st_size or 0)
        except FileNotFoundError:
            return None

    def _place(self, name: str) -> str:
        return f"{self.base}/{name}"


def _created(channel: Any, place: str) -> Any:
    try:
        return channel.open(place, "wbx")
    except FileNotFoundError:
        folder = place.rpartition("/")[0]
        _make(channel, folder)
        return channel.open(place, "wbx")


def _make(channel: Any, folder: str) -> None:
    for _ in range(2):
        try:
            channel.mkdir(folder)
        except FileNotFoundError:
            _make(channel, folder.rpartition("/")[0])
            continue
        except OSError:
            if not stat.S_ISDIR(channel.stat(folder).st_mode or 0):
                raise  # it was not another push that was first
        return


def open_sftp(url: str, options: Mapping[str, Any], requests: Requests) -> Sftp:
    """Return the backend for `url`; nothing is asked yet.

    `ssh://host/~/data` and `ssh://host/./data` are below the home folder there.
    """
    timeout = int(options.get("timeout", 60))
    line = line_to(url, dict(options.get("fsspec") or {}), timeout=timeout)
    path = urllib.parse.urlsplit(url).path.rstrip("/")
    for home_sign in ("/~", "/."):
        if path == home_sign or path.startswith(home_sign + "/"):
            path = "." + path.removeprefix(home_sign)
    return Sftp(line, path or ".", requests, lanes=int(options.get("jobs", 4)))
