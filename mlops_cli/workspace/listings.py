"""Listings of tracked folders: from the cache, or else from the remote, and only the listings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.config import Settings
from mlops_cli.errors import NotFound
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest

if TYPE_CHECKING:
    from mlops_cli.store.remotes.remote import Remote
    from mlops_cli.store.transfer.remote_index import RemoteIndex

Fetch = Callable[[Digest], None]


@dataclass(frozen=True, slots=True)
class Listings:
    """A shelf on which what the cache lacks is asked from the remote, if there is one."""

    cache: Cache
    fetch: Fetch | None = None

    def read(self, digest: Digest) -> bytes:
        """Return the bytes of a listing. Raises as `Cache.read` and `fetch` do."""
        try:
            return self.cache.read(digest)
        except NotFound:
            if self.fetch is None:
                raise
        self.fetch(digest)
        return self.cache.read(digest)


def listings(cache: Cache, settings: Settings, root: Path, *, now: datetime) -> Listings:
    """Return the listings of a project: the default remote is asked, once one is missing here."""
    from mlops_cli.workspace.remotes import remotes

    named = next((one for one in remotes(settings) if one.default), None)
    if named is None:
        return Listings(cache)
    opened: list[tuple[Remote, RemoteIndex]] = []

    def fetch(digest: Digest) -> None:
        from mlops_cli.store.closure import Reached
        from mlops_cli.store.transfer.fetch import fetch_objects
        from mlops_cli.store.transfer.remote_index import memory, refresh
        from mlops_cli.workspace import ignore
        from mlops_cli.workspace.remotes import connect

        if not opened:
            ignore.hide(cache.root)
            remote = connect(named, root)
            opened.append((remote, refresh(remote, memory(cache.root, remote.id), now=now)))
        remote, index = opened[0]
        fetch_objects(cache, remote, index, [Reached(digest, 0, "", True)])

    return Listings(cache, fetch)
