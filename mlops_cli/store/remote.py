"""A remote: a place elsewhere that keeps objects, and is reached only from here.

What is particular to a kind of place lives in a room of its own (`remote_folder`, `remote_s3`,
`remote_http`, `remote_sftp`, `remote_fsspec`), behind one `Backend`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mlops_cli import encode
from mlops_cli.errors import ConfigError, MlopsError, OutsideWorld
from mlops_cli.store.patience import PATIENT, Patience
from mlops_cli.store.remote_errors import explain, worth
from mlops_cli.store.remote_url import absolute_url, refuse_credentials, refuse_secrets, remote_id

FORMAT = "mlops.remote/1"
FORMAT_FILE = "format.json"
FORMAT_AT_MOST = 1 << 16
LISTING = "listing"  # the names of the index files, for who can read but not list
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


def open_remote(url: str, options: Mapping[str, Any] | None = None, *, root: Path) -> Remote:
    """Return the remote at `url` without asking it anything yet.

    A path relative to `root` (the project) is a folder. `options` are the settings below
    `remotes.NAME`; anything under `fsspec` goes to a file system of fsspec as it stands. Secrets
    are taken from the environment or a profile. Raises ConfigError, MissingExtra.
    """
    refuse_credentials(url)
    settings = dict(options or {})
    refuse_secrets(settings)
    url = absolute_url(url, root)
    protocol = url.partition("://")[0]
    requests = Requests()
    folder = None
    try:
        backend: Backend
        match protocol:
            case "file" | "local":
                from mlops_cli.store.remote_folder import Folder

                folder = Path(url.partition("://")[2])
                backend = Folder(folder, requests)
            case "s3" | "s3a":
                from mlops_cli.store.remote_s3 import open_s3

                backend = open_s3(url, settings, requests)
            case "http" | "https":
                from mlops_cli.store.remote_http import open_http

                backend = open_http(url, settings, requests)
            case "ssh" | "sftp":
                from mlops_cli.store.remote_sftp import open_sftp

                backend = open_sftp(url, settings, requests)
            case _:
                from mlops_cli.store.remote_fsspec import open_fsspec

                backend = open_fsspec(url, settings, requests)
    except MlopsError:
        raise
    except Exception as exc:
        raise explain(exc, url=url, doing="open") from exc
    patience = Patience(attempts=int(settings.get("attempts", PATIENT.attempts)))
    return Remote(
        url,
        backend,
        requests,
        folder,
        listing=bool(settings.get("listing", True)),
        compress=settings.get("compress") == "zstd",
        patience=patience,
    )


def check_format(remote: Remote, *, create: bool = False, required: bool = True) -> bytes | None:
    """Return what says how `remote` is laid out, which is as this version reads it.

    `create` starts a new one; without `required`, nothing at all is fine too, for now.

    Raises OutsideWorld ("remote-unavailable") where nothing is, ConfigError
    ("remote-format-unknown") where something else is.
    """
    _check_folder(remote, create=create or not required)
    data = remote.read(FORMAT_FILE, 0, FORMAT_AT_MOST)
    if data is None:
        if create:
            start(remote, None)
        elif required:
            raise OutsideWorld(
                f"there is nothing at the remote {remote.url}",
                code="remote-unavailable",
                hint="mlops push from a clone that has the data, or correct the URL: "
                "mlops remote list",
                details={"url": remote.url},
            )
        return None
    value = encode.parse_json(data, source=f"{remote.url}/{FORMAT_FILE}")
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != FORMAT:
        raise ConfigError(
            f"the remote {remote.url} says {schema!r}, and this version reads {FORMAT!r}",
            code="remote-format-unknown",
            hint="update mlops, or choose another folder for the remote",
            details={"url": remote.url, "schema": schema},
        )
    return data


def start(remote: Remote, found: bytes | None) -> None:
    """Write the file that says how the remote is laid out, or once more the one `found` there.

    A push begins with it: whoever may not write learns so before the bytes are sent.
    Raises OutsideWorld ("remote-read-only").
    """
    remote.refuse_if_read_only()
    text = encode.readable_json({"schema": FORMAT, "hash": "sha256"})
    remote.write(FORMAT_FILE, found or text.encode(), replace=False)


def leave_listing(remote: Remote) -> None:
    """Write the names of the index files where those find them who can read but not list.

    Several pushes may do so at once: each looks again after it has written, and whoever wrote
    last has seen all that was there before.
    """
    written: dict[str, int] | None = None
    while (names := remote.list("index")) != written:
        lines = [f"{size} index/{name}\n" for name, size in sorted(names.items())]
        remote.write(LISTING, "".join(lines).encode())
        written = names


def _sound(name: str) -> bool:
    """Tell whether `name`, which a stranger may have chosen, stays below the folder it is for."""
    parts = name.split("/")
    wild = {"", ".", ".."}.intersection(parts) or "\0" in name or "\\" in name
    return not wild and not parts[-1].startswith(".tmp-")


def _check_folder(remote: Remote, *, create: bool) -> None:
    base = remote.folder
    if base is None or base.is_dir() or (create and base.parent.is_dir()):
        return
    where = base if not create else base.parent
    raise OutsideWorld(
        f"the folder {where} of the remote does not exist",
        code="remote-unavailable",
        hint="mount the disk or create the folder, then run the same command again",
        details={"url": remote.url},
    )
