"""A remote: a place elsewhere that keeps objects, reached through fsspec and only from here."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_cli import encode
from mlops_cli.errors import ConfigError, MlopsError, OutsideWorld
from mlops_cli.store.remote_errors import explain, is_missing
from mlops_cli.store.remote_url import DIRECTORY, absolute_url, refuse_credentials, remote_id

FORMAT = "mlops.remote/1"
FORMAT_FILE = "format.json"
FORMAT_AT_MOST = 1 << 16
PART = 16 << 20  # bytes of one request when a large object is read or written
# an upload to these appears all at once; elsewhere it goes to a temporary name and is moved
ALL_AT_ONCE = ("s3", "s3a", "gs", "gcs", "abfs", "az", "memory")


@dataclass(slots=True)
class Requests:
    """How often the remote was asked; counted, because requests cost money and time."""

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


@dataclass(frozen=True, slots=True)
class Remote:
    """An open remote. Names are relative to it, with forward slashes."""

    url: str
    base: str  # where it begins, as the filesystem spells it
    filesystem: Any
    directory: bool  # a folder on this machine's disks
    all_at_once: bool
    requests: Requests = field(default_factory=Requests)

    @property
    def id(self) -> str:
        """Name what this machine remembers about the remote."""
        return remote_id(self.url)

    @property
    def lanes(self) -> int:
        """How many transfers to have under way at once: a disk gains nothing from many."""
        return 2 if self.directory else 8

    def list(self, folder: str) -> dict[str, int]:
        """Return name → size of all files below `folder`; empty when there is no such folder."""
        self.requests.add("lists")
        place = self._place(folder)
        with self._translated("list"):
            try:
                found = self.filesystem.find(place, detail=True)
            except Exception as exc:
                if is_missing(exc):
                    return {}
                raise
        cut = len(place.rstrip("/")) + 1
        return {
            name[cut:]: int(info["size"])
            for name, info in found.items()
            if not name.rpartition("/")[2].startswith(".tmp-")
        }

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """Return the bytes of `name` from `start` to before `end`, fewer where it is shorter;
        None when it is not there.

        Asked for a range, S3 needs one request, and a refusal says why; a HEAD would not.
        """
        self.requests.add("reads")
        with self._translated("read"):
            try:
                data = self.filesystem.cat_file(self._place(name), start=start, end=end)
            except Exception as exc:
                if is_missing(exc):
                    return None
                raise
        return bytes(data)

    def write(self, name: str, data: bytes) -> None:
        """Write a whole small file; a reader sees all of it or nothing."""
        with self.writing(name, len(data)) as target:
            target.write(data)

    @contextlib.contextmanager
    def writing(self, name: str, size: int) -> Iterator[Any]:
        """Offer a file to stream about `size` bytes to; it gets its name when the block ends well.

        An error inside the block leaves nothing behind.
        """
        self.requests.add("writes")
        place = self._place(name)
        with self._translated("write"):
            stream = self._moved(place) if not self.all_at_once else self._committed(place, size)
            with stream as target:
                yield target

    @contextlib.contextmanager
    def _moved(self, place: str) -> Iterator[Any]:
        folder, _, name = place.rpartition("/")
        self.filesystem.makedirs(folder, exist_ok=True)
        temporary = f"{folder}/.tmp-{secrets.token_hex(6)}-{name[:16]}"
        try:
            with self.filesystem.open(temporary, "wb") as target:
                yield target
                if self.directory:
                    target.flush()
                    os.fsync(target.fileno())  # its bytes are on the disk before its name
            if self.directory:
                Path(temporary).replace(place)
            else:
                self.filesystem.mv(temporary, place)
        except BaseException:
            with contextlib.suppress(Exception):
                self.filesystem.rm_file(temporary)
            raise

    @contextlib.contextmanager
    def _committed(self, place: str, size: int) -> Iterator[Any]:
        # S3 takes at most 10,000 parts
        part = max(PART, -(-size // 9000))
        target = self.filesystem.open(place, "wb", block_size=part, autocommit=False)
        try:
            yield target
            target.close()
        except BaseException:
            target.closed = True
            with contextlib.suppress(Exception):
                target.discard()
            raise
        target.commit()

    def _place(self, name: str) -> str:
        return f"{self.base}/{name}"

    @contextlib.contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except MlopsError:
            raise
        except Exception as exc:  # every backend has its own errors; this is where they end
            raise explain(exc, url=self.url, doing=doing) from exc


def open_remote(url: str, options: Mapping[str, Any] | None = None, *, root: Path) -> Remote:
    """Return the remote at `url` without asking it anything yet.

    A path relative to `root` (the project) is a folder. Options: `endpoint`, `region`, `profile`,
    `anonymous` for S3; anything under `fsspec` goes to the backend as it stands. Secrets are
    taken by the backend from its environment or profile. Raises ConfigError, MissingExtra.
    """
    refuse_credentials(url)
    settings = dict(options or {})
    url = absolute_url(url, root)
    protocol = url.partition("://")[0]
    if protocol in DIRECTORY:
        return _open(url, protocol, {})
    keywords: dict[str, Any] = dict(settings.pop("fsspec", None) or {})
    if protocol in ("s3", "s3a"):
        keywords = {**_s3(settings), **keywords}
    return _open(url, protocol, keywords)


def check_format(remote: Remote, *, create: bool, required: bool = True) -> None:
    """Make sure that `remote` is laid out as this version reads it; `create` starts a new one.

    Without `required`, nothing at all is fine too: it may be started later.

    Raises OutsideWorld ("remote-unavailable") where nothing is, ConfigError
    ("remote-format-unknown") where something else is.
    """
    if remote.directory:
        _check_folder(remote, create=create or not required)
    data = remote.read(FORMAT_FILE, 0, FORMAT_AT_MOST)
    if data is None:
        if create:
            text = encode.readable_json({"schema": FORMAT, "hash": "sha256"})
            remote.write(FORMAT_FILE, text.encode())
            return
        if not required:
            return
        raise OutsideWorld(
            f"there is nothing at the remote {remote.url}",
            code="remote-unavailable",
            hint="mlops push from a clone that has the data, or correct the URL: mlops remote list",
            details={"url": remote.url},
        )
    value = encode.parse_json(data, source=f"{remote.url}/{FORMAT_FILE}")
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != FORMAT:
        raise ConfigError(
            f"the remote {remote.url} says {schema!r}, and this version reads {FORMAT!r}",
            code="remote-format-unknown",
            hint="update mlops, or choose another folder for the remote",
            details={"url": remote.url, "schema": schema},
        )


def _check_folder(remote: Remote, *, create: bool) -> None:
    base = Path(remote.base)
    if base.is_dir() or (create and base.parent.is_dir()):
        return
    where = base if not create else base.parent
    raise OutsideWorld(
        f"the folder {where} of the remote does not exist",
        code="remote-unavailable",
        hint="mount the disk or create the folder, then run the same command again",
        details={"url": remote.url},
    )


def _open(url: str, protocol: str, keywords: dict[str, Any]) -> Remote:
    import fsspec

    try:
        filesystem = fsspec.filesystem(protocol, **keywords)
    except Exception as exc:
        raise explain(exc, url=url, doing="open") from exc
    return Remote(
        url=url,
        base=str(filesystem._strip_protocol(url)).rstrip("/"),
        filesystem=filesystem,
        directory=protocol in DIRECTORY,
        all_at_once=protocol in ALL_AT_ONCE,
    )


def _s3(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what s3fs wants to hear."""
    client: dict[str, Any] = {}
    if region := options.get("region"):
        client["region_name"] = region
    config = {
        "connect_timeout": 10,
        "read_timeout": 60,
        "retries": {"max_attempts": 3, "mode": "standard"},
        # servers that only speak S3 stumble over the newer trailing checksums; what is
        # transferred is hashed on both sides anyway
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    return {
        "anon": bool(options.get("anonymous", False)),
        "profile": options.get("profile"),
        "endpoint_url": options.get("endpoint"),
        "client_kwargs": client,
        "config_kwargs": config,
        "use_listings_cache": False,
        "skip_instance_cache": True,
    }
