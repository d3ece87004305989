"""Recipes: of which chunks, in which order, a large object is made."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError
from mlops_cli.store.chunks import LEAST, MOST, Chunk
from mlops_cli.store.digest import PREFIX, RAW_LENGTH, Digest
from mlops_cli.store.objects import listing

MAGIC = b"mlops.recipe/1\n"
HEAD = struct.Struct(">QI")  # length of the object, number of chunks
ROW = struct.Struct(">32sI")  # digest and length of a chunk
READ_ONLY = 0o444

_START = len(MAGIC) + HEAD.size


@dataclass(frozen=True, slots=True)
class Recipe:
    """The chunks of an object of `size` bytes; kept packed, for there may be millions."""

    size: int
    rows: bytes

    def __iter__(self) -> Iterator[Chunk]:
        return map(Chunk._make, ROW.iter_unpack(self.rows))

    def __len__(self) -> int:
        return len(self.rows) // ROW.size


def recipe_of(chunks: Iterable[Chunk]) -> Recipe:
    """Return the recipe that puts `chunks` one after the other."""
    rows, size = bytearray(), 0
    for chunk in chunks:
        rows += ROW.pack(*chunk)
        size += chunk.length
    return Recipe(size, bytes(rows))


def write_recipe(recipe: Recipe) -> bytes:
    """Return the bytes of `recipe`."""
    return b"".join([MAGIC, HEAD.pack(recipe.size, len(recipe)), recipe.rows])


def parse_recipe(data: bytes) -> Recipe:
    """Return what `data` says, checked as from a stranger.

    Raises IntegrityError ("malformed-recipe") when lengths and counts do not agree or a chunk is
    longer than chunks are. Whether it gives the right object, only its bytes can tell.
    """
    if len(data) < _START or not data.startswith(MAGIC):
        raise _malformed("it does not begin with its header")
    size, count = HEAD.unpack_from(data, len(MAGIC))
    rows = data[_START:]
    if len(rows) != count * ROW.size:
        raise _malformed(f"it does not hold the {count} chunks it speaks of")
    total = 0
    for _, length in ROW.iter_unpack(rows):
        if not 0 < length <= MOST:
            raise _malformed(f"a chunk has {length} bytes")
        total += length
    if total != size:
        raise _malformed(f"its chunks have {total} bytes and not {size}")
    return Recipe(size, rows)


def longest(size: int) -> int:
    """Return how many bytes the recipe of an object of `size` bytes has at most."""
    return _START + ROW.size * (size // LEAST + 1)


@dataclass(frozen=True, slots=True)
class RecipeStore:
    """`<folder>/ab/cdef…`: recipes on the local disk, each named by the object it makes."""

    folder: Path

    def path(self, digest: Digest) -> Path:
        """Return where the recipe lives or would live."""
        name = digest.hex
        return self.folder / name[:2] / name[2:]

    def has(self, digest: Digest) -> bool:
        """Return whether there is a recipe for that object."""
        name = digest.hex
        return os.path.isfile(f"{self.folder}/{name[:2]}/{name[2:]}")  # a Path is slow to make

    def put(self, digest: Digest, recipe: bytes, *, durable: bool = True) -> None:
        """Store the recipe of the object `digest`."""
        fsio.write_atomic(self.path(digest), recipe, mode=READ_ONLY, durable=durable)

    def get(self, digest: Digest) -> Recipe | None:
        """Return the recipe of the object, or None. Raises as `parse_recipe` does."""
        try:
            data = self.path(digest).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return parse_recipe(data)

    def size(self, digest: Digest) -> int | None:
        """Return how many bytes the object has by its recipe, or None when there is none."""
        try:
            with self.path(digest).open("rb") as handle:
                head = handle.read(_START)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(head) < _START or not head.startswith(MAGIC):
            return None
        return int(HEAD.unpack_from(head, len(MAGIC))[0])

    def remove(self, digest: Digest) -> None:
        """Forget the recipe; its chunks stay."""
        with contextlib.suppress(FileNotFoundError):
            self.path(digest).unlink()

    def iterate(self) -> Iterator[Digest]:
        """Yield the digests of all objects for which there is a recipe."""
        for first in listing(self.folder):
            for rest in listing(self.folder / first):
                name = first + rest
                if len(name) == 2 * RAW_LENGTH and set(name) <= set("0123456789abcdef"):
                    yield Digest(PREFIX + name)


def _malformed(why: str) -> IntegrityError:
    return IntegrityError(
        f"a recipe is malformed: {why}",
        code="malformed-recipe",
        hint="mlops verify --repair",
    )
