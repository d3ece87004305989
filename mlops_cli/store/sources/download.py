"""From a URL into the cache: streamed to the disk, hashed once, gone on with where it broke off."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli import encode, fsio
from mlops_cli.errors import OutsideWorld
from mlops_cli.progress import SILENT, Progress, Task
from mlops_cli.store import lease
from mlops_cli.store.cache import PACK_BELOW, Cache
from mlops_cli.store.closure import Kind
from mlops_cli.store.digest import Digest
from mlops_cli.store.patch import patch
from mlops_cli.store.sources.kinds import open_source
from mlops_cli.store.sources.outside import Outside
from mlops_cli.store.sources.partial import Partial, sweep
from mlops_cli.store.sources.source import Broken, Source, Version
from mlops_cli.store.tree import Entry, write_tree

FOLDER = "partial"
TRIES = 5  # in a row without a byte
Wait = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What a URL had, now in the cache."""

    digest: Digest
    kind: Kind
    size: int
    files: int
    version: Version


def download(
    url: str,
    cache: Cache,
    *,
    options: Mapping[str, Any] | None = None,
    pinned: Version | None = None,
    progress: Progress = SILENT,
    wait: Wait = time.sleep,
) -> Downloaded:
    """Bring what is at `url` into the cache; memory stays bounded whatever its size.

    A place that keeps old versions is asked for the one that `pinned` names. A folder of a file
    system becomes a tree. `wait` is called with seconds between tries. Raises
    NotFound ("missing-source"), OutsideWorld ("source-unavailable", "source-denied",
    "source-changed", "source-truncated").
    """
    source = open_source(url, options, pinned)
    with progress.task("downloading", unit="B") as task:
        try:
            if isinstance(source, Outside) and source.is_folder():
                return _folder(source, cache, task, wait)
            digest, version = _file(source, cache, task, wait)
        except Broken as exc:
            raise exc.error from exc
    return Downloaded(digest, "file", version.size or 0, 1, version)


def look(url: str, options: Mapping[str, Any] | None = None) -> Version:
    """Return what is at `url` now, without its bytes. Raises as `download` does."""
    source = open_source(url, options)
    try:
        if isinstance(source, Outside) and source.is_folder():
            return _listing({name: version for name, (_, version) in source.files().items()})
        return source.look()
    except Broken as exc:
        raise exc.error from exc


def _folder(source: Outside, cache: Cache, task: Task, wait: Wait) -> Downloaded:
    found = source.files()
    entries: dict[str, Entry | None] = {}
    for name, (one, _) in found.items():
        digest, version = _file(one, cache, task, wait)
        entries[name] = Entry("", "file", digest, version.size or 0)
    seen = _listing({name: version for name, (_, version) in found.items()})
    if _listing({name: version for name, (_, version) in source.files().items()}) != seen:
        raise OutsideWorld(
            f"{source.url} changed while it was read",
            code="source-changed",
            hint="run the same command again when nothing writes there",
            details={"url": source.url},
        )
    made = patch(cache, cache.put(write_tree([])), entries)
    with cache.writer() as writer:
        for listing in made.listings:
            writer.put(listing)
    return Downloaded(made.digest, "tree", made.size, made.files, seen)


def _listing(versions: Mapping[str, Version]) -> Version:
    rows = {name: version.plain() for name, version in versions.items()}
    digest = hashlib.sha256(encode.canonical_json(rows)).hexdigest()
    return Version(etag=f"listing:{digest}", size=sum(one.size or 0 for one in versions.values()))


def _file(source: Source, cache: Cache, task: Task, wait: Wait) -> tuple[Digest, Version]:
    name = hashlib.sha256(source.url.encode()).hexdigest()[:32]
    folder = cache.root / FOLDER
    sweep(folder)
    part = folder / f"{name}.part"
    with fsio.lock(folder / f"{name}.lock", what=f"downloading {source.url}"):
        running = Partial(source, part, task)
        tries = 0
        while True:
            before = running.size
            try:
                version = running.go_on()
                break
            except Broken as exc:
                tries = 1 if running.size > before else tries + 1
                if tries >= TRIES:
                    raise
                wait(exc.after if exc.after is not None else 0.1 * 2**tries)
        digest = Digest.from_raw(running.state.digest())
        _keep(cache, part, digest, running.size)
        running.note.unlink(missing_ok=True)
    return digest, Version(version.etag, version.version, version.modified, running.size)


def _keep(cache: Cache, part: Path, digest: Digest, size: int) -> None:
    if size < PACK_BELOW:
        cache.put(part.read_bytes())
    else:
        with lease.shared(cache.root):
            if not cache.has(digest):
                cache.objects.publish(part, digest)
    part.unlink(missing_ok=True)
