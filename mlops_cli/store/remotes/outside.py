"""A remote in any place that fsspec can reach: Google, Azure, WebDAV, memory and many more."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops_cli.store.remotes.errors import is_missing
from mlops_cli.store.remotes.remote import Parts, Requests

# what is put there appears all at once; elsewhere it gets a temporary name and is moved
ALL_AT_ONCE = ("gs", "gcs", "abfs", "abfss", "az", "oss", "oci")


@dataclass(frozen=True, slots=True)
class AnyPlace:
    """Files below `base`, as the file system of fsspec spells it."""

    filesystem: Any
    base: str
    requests: Requests
    all_at_once: bool
    lanes: int = 4
    writable: bool = True

    def list(self, folder: str) -> dict[str, int]:
        """Return name → size of all files below `folder`."""
        self.requests.add("lists")
        place = self._place(folder)
        try:
            found = self.filesystem.find(place, detail=True)
        except Exception as exc:
            if is_missing(exc):
                return {}
            raise
        cut = len(place.rstrip("/")) + 1
        return {name[cut:]: int(info["size"]) for name, info in found.items()}

    def read(self, name: str, start: int, end: int) -> bytes | None:
        """Return a part of a file."""
        self.requests.add("reads")
        try:
            return bytes(self.filesystem.cat_file(self._place(name), start=start, end=end))
        except Exception as exc:
            if is_missing(exc):
                return None
            raise

    def write(self, name: str, parts: Parts, *, replace: bool) -> None:
        """Write a file, always: to ask first would cost as much as a small one."""
        if self.all_at_once:
            self.requests.add("writes")
            self.filesystem.pipe_file(self._place(name), b"".join(parts))
            return
        with self.writing(name, sum(map(len, parts))) as target:
            for part in parts:
                target.write(part)

    @contextlib.contextmanager
    def writing(self, name: str, size: int) -> Iterator[Any]:
        """Offer a file to stream to; an error in the block leaves nothing behind."""
        self.requests.add("writes")
        place = self._place(name)
        folder, _, last = place.rpartition("/")
        self.filesystem.makedirs(folder, exist_ok=True)
        temporary = f"{folder}/.tmp-{secrets.token_hex(6)}-{last[:16]}"
        try:
            with self.filesystem.open(temporary, "wb") as target:
                yield target
            self.filesystem.mv(temporary, place)
        except BaseException:
            with contextlib.suppress(Exception):
                self.filesystem.rm_file(temporary)
            raise

    def _place(self, name: str) -> str:
        return f"{self.base}/{name}"


def open_fsspec(url: str, options: Mapping[str, Any], requests: Requests) -> AnyPlace:
    """Return the backend for `url`; nothing is asked yet."""
    import fsspec

    protocol = url.partition("://")[0]
    kind = fsspec.get_filesystem_class(protocol)
    words = {**kind._get_kwargs_from_urls(url), **(options.get("fsspec") or {})}
    filesystem = fsspec.filesystem(protocol, use_listings_cache=False, **words)
    return AnyPlace(
        filesystem,
        str(kind._strip_protocol(url)).rstrip("/"),
        requests,
        all_at_once=protocol in ALL_AT_ONCE,
        lanes=int(options.get("jobs", 4)),
    )
