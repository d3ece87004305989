"""Chunks that need not travel, because another object that is here has them too."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from mlops_cli.store.cache import Cache
from mlops_cli.store.chunks import Chunk
from mlops_cli.store.recipes import Recipe
from mlops_cli.store.transfer import cuts

ROWS_AT_MOST = 1 << 20  # chunks looked for, and looked through: a quarter of a tebibyte


class Nearby:
    """Where in whole objects and in cold storage the chunks of some recipes lie."""

    def __init__(self, cache: Cache, recipes: Iterable[Recipe]) -> None:
        self._cold = cache.cold
        self._found: dict[bytes, tuple[Path, int]] = {}
        every = (chunk.raw for recipe in recipes for chunk in recipe)
        wanted = set(islice(every, ROWS_AT_MOST))
        rows = 0
        for digest in cuts.latest(cache):
            if not wanted or rows > ROWS_AT_MOST:
                return
            recipe = cuts.remembered(cache, digest)
            if recipe is None or cache.objects.size(digest) != recipe.size:
                continue
            rows += len(recipe)
            at = 0
            for chunk in recipe:
                if chunk.raw in wanted:
                    wanted.discard(chunk.raw)
                    self._found[chunk.raw] = (cache.objects.path(digest), at)
                at += chunk.length

    def read(self, chunk: Chunk) -> bytes | memoryview | None:
        """Return the bytes of a chunk if it is near. They were not hashed: that is for the whole
        object that they become a part of."""
        if chunk.raw in self._found:
            path, at = self._found[chunk.raw]
            try:
                handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return None
            try:
                data = os.pread(handle, chunk.length, at)
            finally:
                os.close(handle)
            return data if len(data) == chunk.length else None
        return self._cold.piece(chunk)

    def has(self, chunk: Chunk) -> bool:
        """Return whether the chunk is near."""
        return chunk.raw in self._found or self._cold.packs.find(chunk.raw, again=False) is not None
