"""A remote is mended from the cache: files there get the bytes again that their index speaks of."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.store import chunks, frames, packs
from mlops_cli.store.cache import Cache
from mlops_cli.store.care.examine_remote import RemoteExaminer, Row
from mlops_cli.store.chunks import Chunk
from mlops_cli.store.digest import Digest
from mlops_cli.store.recipes import recipe_of, write_recipe
from mlops_cli.store.remotes.remote import PART
from mlops_cli.store.slicing import Slicer

AT_MOST = 1 << 30  # bytes of a pack, which is made in memory


def mend(cache: Cache, examiner: RemoteExaminer) -> set[Digest]:
    """Write again what was found wrong; return the objects and chunks with no good copy here.

    A pack is its objects at the places that its index gives, so the right one can be made again.
    Where there is no good copy at all, nothing is written.
    """
    remote, harm = examiner.remote, examiner.harm
    for name in sorted(harm.indexes):
        remote.write(f"index/{name}", examiner.index.read(name), replace=True)
    source = _Source(cache, examiner)
    lost: set[bytes] = set()
    for place, (rows, wrong) in sorted(harm.files.items()):
        if place.startswith("objects/"):
            lost |= {
                raw for raw in wrong if not _alone(cache, examiner, Digest.from_raw(raw), place)
            }
        else:
            lost |= _pack(source, place, rows, wrong)
    return {Digest.from_raw(raw) for raw in lost}


def _pack(source: _Source, place: str, rows: list[Row], wrong: set[bytes]) -> set[bytes]:
    remote = source.examiner.remote
    end = max(offset + length for _, offset, length in rows)
    if end > AT_MOST:
        return wrong  # nobody wrote such a pack
    body = bytearray((remote.read(place, 0, end) or b"").ljust(end, b"\0"))
    body[: len(packs.PACK_MAGIC)] = packs.PACK_MAGIC
    lost = set()
    good = source.recipes(wrong) if place.startswith("recipes/") else source.plain(wrong)
    for raw, offset, length in rows:
        body[offset - packs.RECORD.size : offset] = packs.RECORD.pack(raw, length)
        if raw not in wrong:
            continue
        record = _fitting(good.get(raw), length)
        if record is None:
            lost.add(raw)
        else:
            body[offset : offset + length] = record
    if len(lost) < len(wrong):
        remote.write(place, bytes(body), replace=True)
    return lost


def _fitting(data: bytes | None, length: int) -> bytes | memoryview | None:
    """Return what stood in the pack: the bytes, or the frame of them that has this length."""
    if data is None or len(data) == length:
        return data
    frame = frames.squeeze(data)
    return frame if len(frame) == length else None


def _alone(cache: Cache, examiner: RemoteExaminer, digest: Digest, place: str) -> bool:
    try:
        size = cache.size(digest)
        with cache.open(digest) as source, examiner.remote.writing(place, size) as target:
            while piece := source.read(PART):
                target.write(piece)
    except (NotFound, IntegrityError):
        return False  # raised inside the block: what was sent never gets the name
    return True


@dataclass(frozen=True, slots=True)
class _Source:
    """Good copies out of the cache: of objects, of chunks of larger ones, and of recipes."""

    cache: Cache
    examiner: RemoteExaminer

    def plain(self, wanted: set[bytes]) -> dict[bytes, bytes]:
        """Return the bytes of those objects and chunks that are here."""
        found: dict[bytes, bytes] = {}
        for raw in wanted:
            with contextlib.suppress(NotFound, IntegrityError):
                found[raw] = self.cache.read(Digest.from_raw(raw))
        chunks_left = wanted - found.keys()
        places: dict[Digest, list[tuple[int, Chunk]]] = {}
        for chunk, digest, at in self.examiner.uses(chunks_left) if chunks_left else ():
            if self.cache.has(digest):
                places.setdefault(digest, []).append((at, chunk))
        for digest, spots in places.items():
            if any(chunk.raw not in found for _, chunk in spots):
                with self._opened(digest) as source:
                    found |= _cut_out(source, sorted(spots))
        return found

    def recipes(self, wanted: set[bytes]) -> dict[bytes, bytes]:
        """Return the recipes of those objects that are here, cut as they were for the push."""
        found: dict[bytes, bytes] = {}
        if not chunks.available():
            return found
        with Slicer() as slicer:
            for raw in wanted:
                whole: list[Digest] = []
                pieces: list[Chunk] = []
                with self._opened(Digest.from_raw(raw)) as source:
                    for piece in slicer.slices(source, whole.append):
                        pieces += [chunk for chunk, _ in piece.chunks]
                        piece.release()
                if whole == [Digest.from_raw(raw)]:
                    found[raw] = write_recipe(recipe_of(pieces))
        return found

    @contextlib.contextmanager
    def _opened(self, digest: Digest) -> Iterator[BinaryIO]:
        """Offer the object; the block ends without an error where it turns out not to be here."""
        try:
            source = self.cache.stream(digest)
        except (NotFound, IntegrityError):
            source = io.BytesIO()
        with contextlib.suppress(IntegrityError), contextlib.closing(source):
            yield source


def _cut_out(source: BinaryIO, spots: list[tuple[int, Chunk]]) -> dict[bytes, bytes]:
    """Return the chunks that lie at these places of the stream, each of them hashed."""
    found: dict[bytes, bytes] = {}
    position = 0
    for at, chunk in spots:
        while position < at and (passed := source.read(min(PART, at - position))):
            position += len(passed)
        data = b""
        while len(data) < chunk.length and (piece := source.read(chunk.length - len(data))):
            data += piece
        position += len(data)
        if sha256(data).digest() == chunk.raw:
            found[chunk.raw] = data
    return found
