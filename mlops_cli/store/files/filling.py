"""A tree written into a new folder, by this process or by several."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.progress import Task
from mlops_cli.store.cache import PACK_BELOW, Cache, open_cache
from mlops_cli.store.digest import PREFIX, Digest
from mlops_cli.store.files.placing import FOLDER, Placer, in_the_way, scratch
from mlops_cli.store.files.reading import BATCH_BYTES, BATCH_FILES, PROCESSES_FROM, processes
from mlops_cli.store.files.worker import serve
from mlops_cli.store.statcache import Known, encoded
from mlops_cli.store.tree import Row, parse_rows

if TYPE_CHECKING:
    from mlops_cli.store.files.workers import Workers

_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


@dataclass(slots=True)
class _Folder:
    """One new folder; its facts come as its files do."""

    tree: bytes
    rows: list[Row]  # its files and links
    facts: list[bytes | None]
    whole: bool  # holds no folder

    def known(self) -> Known:
        """Return what the stat cache keeps; a link into the cache has no facts of its own."""
        rows, facts = self.rows, self.facts
        whole = self.whole and None not in facts
        if None in facts:
            rows = [row for row, fact in zip(rows, facts, strict=True) if fact]
        return Known(
            encoded([row[0] for row in rows]),
            b"".join([fact for fact in facts if fact]),
            bytes.fromhex("".join([row[2] for row in rows])),
            self.tree if whole else b"",
            sum([row[3] for row in rows]),
        )


class Filler:
    """Makes new folders below `parent`, which is held open. Whoever has it calls `close`."""

    def __init__(self, cache: Cache, placer: Placer, parent: int, *, files: int, task: Task):
        self._cache, self._placer, self._parent, self._task = cache, placer, parent, task
        # tiers are known to this process only
        several = files >= PROCESSES_FROM and not cache.tiers
        self._processes = processes(0) if several else 1
        self._pool: Workers | None = None
        self.placed: dict[str, Known] = {}  # whole folders, by absolute path

    def close(self) -> None:
        """End the processes that helped."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def folder(self, handle: int, below: str, name: str, tree: Digest, *, final: str) -> None:
        """Build `tree` under a scratch name and give it `name` when it is complete.

        `handle` is the folder it goes to, `below` its path below `parent` ("" or ending in "/"),
        `final` the absolute path it will have. Raises StateRefused ("unsaved-bytes") when
        something has come to lie there, and as `Cache.read` does.
        """
        with scratch(handle) as temporary:
            try:
                folders = self._fill(handle, below, temporary, tree, final)
            except BaseException:
                self.close()  # nobody writes there any more when it is cleared away
                raise
            try:
                os.rename(temporary, name, src_dir_fd=handle, dst_dir_fd=handle)
            except OSError as exc:
                if exc.errno in _TAKEN:
                    raise in_the_way(final) from exc
                raise
        self.placed.update((path, folder.known()) for path, folder in folders.items())

    def _fill(
        self, handle: int, below: str, temporary: str, tree: Digest, final: str
    ) -> dict[str, _Folder]:
        folders: dict[str, _Folder] = {}
        waiting = [(temporary, tree, final)]
        while waiting:
            inside, digest, path = waiting.pop()
            os.mkdir(inside, dir_fd=handle)
            rows = parse_rows(self._cache.read(digest))
            files = [row for row in rows if row[1] != "dir"]
            folder = _Folder(digest.raw, files, [None] * len(files), len(files) == len(rows))
            folders[path] = folder
            waiting += [
                (f"{inside}/{row[0]}", Digest(PREFIX + row[2]), f"{path}/{row[0]}")
                for row in rows
                if row[1] == "dir"
            ]
            here = os.open(inside, FOLDER, dir_fd=handle)
            try:
                self._files(here, below + inside, folder, path)
            finally:
                os.close(here)
        if self._pool is not None:
            self._pool.drain()
        return folders

    def _files(self, here: int, below: str, folder: _Folder, path: str) -> None:
        start = 0
        while start < len(folder.rows):
            end, volume = start, 0
            while end < len(folder.rows) and end - start < BATCH_FILES and volume < BATCH_BYTES:
                volume += folder.rows[end][3]
                end += 1
            some, span = folder.rows[start:end], slice(start, end)
            # what is large may lie in chunks, and the helpers are too light to read those
            if self._processes > 1 and all(row[3] < PACK_BELOW for row in some):
                self._hand_over(below, some, folder, span, path)
            else:
                folder.facts[span] = self._placer.new_files(here, some, path)
                self._task.advance(end - start)
            start = end

    def _hand_over(
        self, below: str, rows: Sequence[Row], folder: _Folder, span: slice, path: str
    ) -> None:
        if self._pool is None:
            from mlops_cli.store.files.workers import Workers  # brings subprocess

            arguments = (str(self._cache.root), str(self._parent), self._placer.link)
            self._pool = Workers(self._processes, __name__, *arguments, handles=[self._parent])

        def done(facts: list[bytes | None]) -> None:
            folder.facts[span] = facts
            self._task.advance(len(facts))

        self._pool.submit((below, list(rows), path), done)


def main(root: str, parent: str, link: str) -> None:
    """Serve batches of small files to be made, below the folder that is open as `parent`."""
    placer = Placer(open_cache(Path(root)), link=link)  # type: ignore[arg-type]

    def take(batch: tuple[str, list[Row], str]) -> list[bytes | None]:
        below, rows, path = batch
        here = _open_below(int(parent), below)
        try:
            return placer.new_files(here, rows, path)
        finally:
            os.close(here)

    serve(take, lambda: None)


def _open_below(parent: int, below: str) -> int:
    """Open a folder step by step, so that no link on the way leads elsewhere."""
    here = os.dup(parent)
    for part in below.split("/"):
        outer = here
        try:
            here = os.open(part, FOLDER, dir_fd=outer)
        finally:
            os.close(outer)
    return here
