"""A remote of DVC: read only, and only for what this disk lacks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from mlops_cli import fsio
from mlops_cli.integrations.dvc.outs import Sum
from mlops_cli.integrations.dvc.repository import DvcRemote
from mlops_cli.integrations.dvc.shelf import LISTING_AT_MOST, Wanted
from mlops_cli.store.cache import Cache
from mlops_cli.store.remotes.remote import PART

if TYPE_CHECKING:
    from mlops_cli.store.remotes.remote import Remote

# what DVC calls a setting, and what mlops does
OPTIONS = {"endpointurl": "endpoint", "region": "region", "profile": "profile"}
READABLE = ("file", "s3", "s3a", "gs", "gcs", "az", "abfs", "http", "https", "ssh", "sftp")


class Has(Protocol):
    """Something that was wanted and is not here."""

    @property
    def wanted(self) -> Wanted: ...


Absent = TypeVar("Absent", bound=Has)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An open remote of DVC."""

    url: str
    remote: Remote

    def listing(self, one: Sum) -> bytes | None:
        """Return the bytes of a folder's list, None where the remote has none."""
        for name in _names(one):
            if (data := self.remote.read(name, 0, LISTING_AT_MOST)) is not None:
                return data
        return None

    def fetch(self, absent: Sequence[Absent], cache: Cache) -> Iterator[tuple[Absent, Path | None]]:
        """Yield each of `absent` with a file of its bytes as the remote has them, or None.

        The file is the receiver's to keep or to remove. Raises as `Remote.read`.
        """
        pool = ThreadPoolExecutor(self.remote.lanes)
        try:
            for at in range(0, len(absent), 64):  # so that few files wait to be taken
                doing = {
                    pool.submit(self._fetch, one.wanted.sum, cache): one
                    for one in absent[at : at + 64]
                }
                for done in as_completed(doing):
                    yield doing[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _fetch(self, one: Sum, cache: Cache) -> Path | None:
        for name in _names(one):
            first = self.remote.read(name, 0, PART)
            if first is None:
                continue
            path = fsio.temporary_beside(cache.root / "tmp" / "object")
            with fsio.translated(path):
                try:
                    with path.open("wb") as file:
                        part: bytes | None = first
                        while part:
                            file.write(part)
                            if len(part) < PART:
                                break
                            part = self.remote.read(name, file.tell(), file.tell() + PART)
                except BaseException:
                    path.unlink(missing_ok=True)
                    raise
            return path
        return None


def open_elsewhere(remote: DvcRemote, project: Path) -> Elsewhere:
    """Return the remote; nothing is asked yet. Raises ConfigError, MissingExtra."""
    from mlops_cli.store.remotes.kinds import open_remote

    return Elsewhere(remote.url, open_remote(remote.url, options(remote), root=project))


def readable(remote: DvcRemote) -> bool:
    """Return whether mlops can read that kind of place."""
    protocol, separator, _ = remote.url.partition("://")
    return not separator or protocol in READABLE


def options(remote: DvcRemote) -> dict[str, object]:
    """Return the settings of the remote in our words; secrets stay in DVC's own files."""
    found: dict[str, object] = {
        ours: remote.options[theirs] for theirs, ours in OPTIONS.items() if theirs in remote.options
    }
    if remote.options.get("allow_anonymous_login", "").lower() == "true":
        found["anonymous"] = True
    return found


def ours(remote: DvcRemote, project: Path) -> str:
    """Return the URL below the remote where mlops keeps what is its own.

    DVC's own `gc --cloud` looks at the folders `files` and two digits only.
    """
    if "://" in remote.url:
        return remote.url.rstrip("/") + "/mlops"
    relative = os.path.relpath(remote.url, project)
    inside = not Path(remote.url).is_absolute() or relative.count("..") <= 2
    return os.path.join(relative if inside else remote.url, "mlops")


def by_key(
    wanted: Mapping[tuple[str, str], str | None],
    repository_remotes: Mapping[str, DvcRemote],
    default: str | None,
    project: Path,
) -> dict[tuple[str, str], Elsewhere]:
    """Return the open remote for each key whose remote is known and of a kind that can be read."""
    opened: dict[str, Elsewhere] = {}
    found: dict[tuple[str, str], Elsewhere] = {}
    for key, name in wanted.items():
        called = name or default
        remote = repository_remotes.get(called) if called else None
        if remote is None or not readable(remote):
            continue
        if remote.name not in opened:
            opened[remote.name] = open_elsewhere(remote, project)
        found[key] = opened[remote.name]
    return found


def _names(one: Sum) -> tuple[str, str]:
    return one.shelf, Sum(one.md5, not one.legacy, one.folder).shelf
