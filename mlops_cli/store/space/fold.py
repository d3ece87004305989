"""Fold: whole objects of the cache become chunks in cold storage, where versions share them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from mlops_cli.errors import MissingExtra
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store import chunks, frames
from mlops_cli.store.cache import Cache
from mlops_cli.store.chunks import CHUNKED_FROM, Chunk
from mlops_cli.store.digest import Digest
from mlops_cli.store.packer import Packer
from mlops_cli.store.recipes import recipe_of, write_recipe
from mlops_cli.store.slicing import Slicer

_AT_ONCE = 1 << 30  # bytes that are whole and folded at the same time


@dataclass(slots=True)
class Folded:
    """What a fold did: `before` bytes of whole objects now take `after` bytes of chunks."""

    objects: int = 0
    before: int = 0
    after: int = 0
    damaged: list[Digest] = field(default_factory=list)  # set aside


def fold(
    cache: Cache,
    digests: Iterable[Digest],
    *,
    compress: bool = False,
    progress: Progress = SILENT,
) -> Folded:
    """Fold those of `digests` that lie in the cache as whole objects of 1 MiB or more.

    Chunks are on the disk before the recipe that names them, and an object was read back from its
    chunks before the whole one goes. Whoever calls this makes sure that no link leads to it: a
    second name (a hard link) would keep its bytes, a symlink would lead nowhere. Raises
    MissingExtra ("missing-cutter") where nothing can cut, OutsideWorld ("disk-full").
    """
    if not chunks.available():
        raise MissingExtra(chunks.NO_CUTTER, code="missing-cutter", hint=chunks.MEND)
    folded = Folded()
    with progress.task("folding", unit="B") as task, Slicer() as slicer:
        folder = _Folder(cache, slicer, compress)
        try:
            for digest in digests:
                size = cache.objects.size(digest)
                if size is None or size < CHUNKED_FROM:
                    continue
                if not folder.take(digest, size):
                    folded.damaged.append(digest)
                task.advance(size)
                if folder.waiting >= _AT_ONCE:
                    folder.settle(folded)
            folder.settle(folded)
        finally:
            folder.packer.abandon()
    return folded


class _Folder:
    def __init__(self, cache: Cache, slicer: Slicer, compress: bool) -> None:
        self.cache, self.slicer, self.compress = cache, slicer, compress
        self.packer = Packer(cache.cold.root)
        self.recipes: dict[Digest, bytes] = {}
        self.waiting = 0
        self.stored = 0

    def take(self, digest: Digest, size: int) -> bool:
        """Put the chunks of one object into the open pack; return whether it was the right one."""
        found: list[Digest] = []
        made: list[Chunk] = []
        with contextlib.closing(self.cache.stream(digest)) as source:
            for piece in self.slicer.slices(source, found.append):
                for chunk, data in piece.chunks:
                    made.append(chunk)
                    self._store(chunk.raw, data)
                piece.release()
        if found != [digest]:
            self.cache.set_aside(digest)
            return False
        self.recipes[digest] = write_recipe(recipe_of(made))
        self.waiting += size
        return True

    def _store(self, raw: bytes, data: memoryview) -> None:
        if self.packer.has(raw) or self.cache.cold.packs.find(raw, again=False):
            return
        record = bytes(frames.squeeze(data) if self.compress else data)
        self.packer.add(raw, record)
        self.stored += len(record)

    def settle(self, folded: Folded) -> None:
        """Name the chunks, then the recipes; read each object back, and let the whole one go."""
        self.packer.seal()
        folded.after += self.stored
        self.waiting = self.stored = 0
        for digest, recipe in self.recipes.items():
            self.cache.cold.recipes.put(digest, recipe)
            folded.after += len(recipe)
            state = sha256()
            size = 0
            for piece in self.cache.cold.pieces(digest):
                state.update(piece)
                size += len(piece)
            if state.digest() != digest.raw:
                self.cache.cold.forget(digest)  # and the whole object stays
                continue
            self.cache.objects.path(digest).unlink(missing_ok=True)
            folded.objects += 1
            folded.before += size
        self.recipes = {}
