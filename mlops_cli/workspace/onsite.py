"""Bytes that stay where they are: the workspace as a tier, for what goes straight to a remote."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import Stored, rows, survey, total
from mlops_cli.store.files.scan import Ignored
from mlops_cli.store.statcache import StatCache
from mlops_cli.store.tree import write_rows


@dataclass(slots=True)
class OnSite:
    """A tier of files in the workspace, and what puts files there: their bytes are hashed and
    stay, only listings and links (where they lead) are stored."""

    cache: Cache
    stats: StatCache
    progress: Progress = SILENT
    files: dict[bytes, tuple[str, int]] = field(default_factory=dict)  # raw digest → path, size

    def store(self, path: Path, ignored: Ignored | None) -> Stored:
        """Return what lies at `path`, which can now be read through this tier."""
        found = survey(
            path, stats=self.stats, ignored=ignored, cache=self.cache, progress=self.progress
        )
        with self.cache.writer() as writer:
            for folder in found.folders:
                for name, raw, (size, *_) in zip(
                    folder.names, folder.digests, folder.stats(), strict=True
                ):
                    if name in folder.targets:
                        writer.add_raw(raw, folder.targets[name])
                    else:
                        self.files[raw] = (f"{folder.path}/{name}", size)
                if found.kind == "tree":
                    writer.add_raw(folder.tree, write_rows(rows(folder)))
        return total(found)

    def size(self, digest: Digest) -> int | None:
        """Return how many bytes the object has, or None when it is not there."""
        _, size = self.files.get(digest.raw, (None, None))
        return size

    def open(self, digest: Digest) -> BinaryIO | None:
        """Return a stream over the object, or None when it is not there (any more)."""
        path = self.path(digest)
        return None if path is None else io.FileIO(path)

    def path(self, digest: Digest) -> Path | None:
        """Return the file that is the object, or None when it is not there (any more)."""
        name, _ = self.files.get(digest.raw, (None, None))
        return Path(name) if name is not None and Path(name).is_file() else None
