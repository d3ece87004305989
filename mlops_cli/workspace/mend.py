"""Where good copies of damaged objects come from: workspace, remotes, sources of imports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import MlopsError
from mlops_cli.store.cache import PACK_BELOW, Cache
from mlops_cli.store.care.repair import Source
from mlops_cli.store.closure import Reached
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.compare import Surveyed
from mlops_cli.store.files.ingest import survey
from mlops_cli.store.files.scan import Scan
from mlops_cli.store.remotes.layout import check_format
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.transfer.fetch import fetch_objects
from mlops_cli.store.transfer.remote_index import memory, refresh
from mlops_cli.workspace import ignore
from mlops_cli.workspace.tracked import Tracked, related


def from_workspace(root: Path, tracked: Sequence[Tracked], cache: Cache) -> Source:
    """Return a source that stores what lies in the workspace and is just what is asked for.

    All is hashed anew. What is not asked for stays as it was, stored or not: an edit that was
    never added must not look as if it had been.
    """

    def source(parts: Sequence[Reached]) -> None:
        wanted = {part.digest.raw for part in parts}
        for one in tracked:
            if not any(part.path and related(part.path, one.path) for part in parts):
                continue
            try:
                place = fsio.inside(root, one.path, follow=False)
                ignored = ignore.ignored_in(root, one.path)
                _store(survey(place, stats=None, ignored=ignored, cache=cache), wanted, cache)
            except (MlopsError, OSError):
                continue  # not there, or not readable: other sources are asked

    return source


def _store(found: Scan, wanted: set[bytes], cache: Cache) -> None:
    listings = Surveyed.of(found, cache)
    with cache.writer() as writer:
        for folder in found.folders:
            if folder.tree in wanted:
                writer.put(listings.read(Digest.from_raw(folder.tree)))
            for name, raw, facts in zip(folder.names, folder.digests, folder.stats(), strict=True):
                if raw not in wanted:
                    continue
                path = Path(folder.path, name)
                if name in folder.targets:
                    writer.put(folder.targets[name])
                elif facts[0] < PACK_BELOW:
                    writer.put(path.read_bytes())
                else:
                    cache.put_file(path)


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


def from_sources(
    tracked: Sequence[Tracked],
    again: Callable[[Tracked], None],
    *,
    unheard: Callable[[str], None],
) -> Source:
    """Return a source that has `again` bring imports from where they came."""

    def source(parts: Sequence[Reached]) -> None:
        for one in tracked:
            if one.pin is None or not any(related(part.path, one.path) for part in parts):
                continue
            try:
                again(one)
            except MlopsError as exc:
                unheard(exc.message)

    return source
