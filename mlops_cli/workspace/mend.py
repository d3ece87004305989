"""Where good copies of damaged objects come from: the workspace, and the remotes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import MlopsError
from mlops_cli.store.cache import Cache
from mlops_cli.store.closure import Reached
from mlops_cli.store.fetch import fetch_objects
from mlops_cli.store.ingest import ingest
from mlops_cli.store.remote import Remote, check_format
from mlops_cli.store.remote_index import memory, refresh
from mlops_cli.store.repair import Source
from mlops_cli.workspace import ignore
from mlops_cli.workspace.tracked import Tracked, related


def from_workspace(root: Path, tracked: Sequence[Tracked], cache: Cache) -> Source:
    """Return a source that stores again what lies in the workspace; its bytes are hashed anew,
    so a file that is not the right one mends nothing and harms nothing."""

    def source(parts: Sequence[Reached]) -> None:
        for one in tracked:
            if not any(part.path and related(part.path, one.path) for part in parts):
                continue
            try:
                place = fsio.inside(root, one.path)
                ingest(place, cache=cache, stats=None, ignored=ignore.ignored_in(root, one.path))
            except MlopsError:
                continue  # not there, or not readable: other sources are asked

    return source


def from_remote(remote: Remote, cache: Cache, *, now: datetime) -> Source:
    """Return a source that fetches from `remote`. It raises OutsideWorld, ConfigError."""
    index = None

    def source(parts: Sequence[Reached]) -> None:
        nonlocal index
        if index is None:
            check_format(remote)
            index = refresh(remote, memory(cache.root, remote.id), now=now)
        fetch_objects(cache, remote, index, parts)

    return source
