"""A close look at a remote: one index file at a time, and all that it names."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.progress import Task
from mlops_cli.store import frames
from mlops_cli.store.cache import Cache
from mlops_cli.store.care.course import Flaw, Level, Outcome, Unit
from mlops_cli.store.chunks import MOST, Chunk
from mlops_cli.store.digest import Digest
from mlops_cli.store.recipes import Recipe, parse_recipe
from mlops_cli.store.remotes.remote import PART, Remote
from mlops_cli.store.transfer.remote_chunks import RemoteChunks
from mlops_cli.store.transfer.remote_index import RECIPES, RemoteIndex, object_name, parts

Row = tuple[bytes, int, int]  # raw digest, offset, length


@dataclass(slots=True)
class Harm:
    """What has to be written again: index files, and objects by the file they lie in (with all
    rows of that file)."""

    indexes: set[str] = field(default_factory=set)
    files: dict[str, tuple[list[Row], set[bytes]]] = field(default_factory=dict)


@dataclass
class RemoteExaminer:
    """Looks at the index files of a remote as closely as `level` says.

    A recipe is tried on the object in `cache`, where that has it: then nothing is read twice.
    """

    remote: Remote
    index: RemoteIndex
    level: Level
    task: Task
    cache: Cache | None = None
    harm: Harm = field(default_factory=Harm)
    needs: dict[str, set[str]] = field(default_factory=dict)  # index files that recipes rely upon
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def weight(self, name: str) -> int:
        """Return how many bytes an index file names."""
        return sum(row[2] for _, rows in parts(self.index.read(name), name) for row in rows)

    def look(self, unit: Unit) -> Outcome:
        """Return how an index file, and what it names, was found."""
        name = unit.name
        found = Outcome(flaws=tuple(self._index(name)))
        for place, some in parts(self.index.read(name), name):
            rows = list(some)
            if name.endswith(RECIPES):
                found = found + self._recipes(name, place, rows)
            elif place:
                found = found + self._file(place, rows)
            else:
                for row in rows:
                    found = found + self._file(object_name(Digest.from_raw(row[0])), [row])
        return found

    def uses(self, chunks: Set[bytes]) -> Iterator[tuple[Chunk, Digest, int]]:
        """Yield (chunk, object, where in it) for each place at which a recipe needs a chunk."""
        for name in sorted(self.index.names):
            if not name.endswith(RECIPES):
                continue
            for place, rows in parts(self.index.read(name), name):
                for raw, record in self._records(place, list(rows)):
                    with contextlib.suppress(IntegrityError):
                        at = 0
                        for chunk in parse_recipe(bytes(record)):
                            if chunk.raw in chunks:
                                yield chunk, Digest.from_raw(raw), at
                            at += chunk.length

    def _index(self, name: str) -> Iterator[Flaw]:
        here = self.index.read(name)
        if self.remote.read(f"index/{name}", 0, len(here) + 1) != here:
            with self._lock:
                self.harm.indexes.add(name)
            yield Flaw(f"index/{name}", "is not what its name says")

    def _file(self, place: str, rows: list[Row]) -> Outcome:
        """Look at objects and chunks in one file."""
        if place in self.index.gone:
            return self._harmed(place, rows, {row[0] for row in rows}, gone=True)
        if self.level != "bytes":
            return Outcome(len(rows))
        wrong = {raw for raw, right in self._read(place, rows) if not right}
        read = sum(row[2] for row in rows)
        return self._harmed(place, rows, wrong, read=read)

    def _recipes(self, name: str, place: str, rows: list[Row]) -> Outcome:
        """Look at the recipes in one file, and whether what they speak of is there."""
        if place in self.index.gone:
            return self._harmed(place, rows, {row[0] for row in rows}, gone=True)
        wrong: set[bytes] = set()
        lacking: list[Digest] = []
        needs: set[str] = set()
        for raw, record in self._records(place, rows):
            try:
                recipe = parse_recipe(bytes(record))
            except IntegrityError:
                wrong.add(raw)
                continue
            homes = [self._chunks.home(chunk.raw) for chunk in recipe]
            if None in homes:
                # where a file is gone it is mended itself; else the recipe is not what was sent
                if self.index.gone:
                    lacking.append(Digest.from_raw(raw))
                else:
                    wrong.add(raw)
                continue
            if self.level == "bytes" and not self._makes(raw, recipe):
                wrong.add(raw)
                continue
            needs |= {home for home in homes if home}
        with self._lock:
            self.needs[name] = needs
        found = self._harmed(place, rows, wrong, read=sum(row[2] for row in rows))
        return found + Outcome(wrong=tuple(lacking))

    def _harmed(
        self, place: str, rows: list[Row], wrong: set[bytes], *, gone: bool = False, read: int = 0
    ) -> Outcome:
        if wrong:
            with self._lock:
                self.harm.files[place] = (rows, wrong)
        flaws = (Flaw(place, "is not there, or was cut off"),) if gone else ()
        digests = () if gone else tuple(sorted(map(Digest.from_raw, wrong)))
        return Outcome(len(rows), read if self.level == "bytes" else 0, digests, flaws)

    def _read(self, place: str, rows: list[Row]) -> Iterator[tuple[bytes, bool]]:
        """Yield (raw digest, whether its bytes are right) of all objects in one file."""
        for row in rows:
            if row[2] > PART:
                yield row[0], self._large(place, *row)
        small = [row for row in rows if row[2] <= PART]
        for raw, record in self._records(place, small):
            yield raw, frames.plain(raw, record, at_most=MOST) is not None

    def _records(self, place: str, rows: list[Row]) -> Iterator[tuple[bytes, memoryview]]:
        for stretch in stretches(rows):
            start, end = stretch[0][1], max(offset + length for _, offset, length in stretch)
            data = memoryview(self.remote.read(place, start, end) or b"")
            self.task.advance(len(data))
            for raw, offset, length in stretch:
                yield raw, data[offset - start : offset - start + length]

    def _large(self, place: str, raw: bytes, offset: int, length: int) -> bool:
        state = sha256()
        for start in range(offset, offset + length, PART):
            end = min(start + PART, offset + length)
            data = self.remote.read(place, start, end) or b""
            state.update(data)
            self.task.advance(len(data))
            if len(data) < end - start:
                break  # an index may promise more than there is
        return state.digest() == raw

    def _makes(self, raw: bytes, recipe: Recipe) -> bool:
        """Tell whether the recipe gives the object; our own copy, where there is one, tells too."""
        digest = Digest.from_raw(raw)
        if self.cache is not None and self.cache.has(digest):
            with contextlib.suppress(IntegrityError, NotFound):  # ours is damaged, and set aside
                return _cuts(self.cache, digest, recipe)
        return self._chunks.make(raw, recipe)

    @cached_property
    def _chunks(self) -> RemoteChunks:
        return RemoteChunks(self.remote, self.index, self.task)


def _cuts(cache: Cache, digest: Digest, recipe: Recipe) -> bool:
    with cache.open(digest) as source:
        right = [sha256(source.read(chunk.length)).digest() == chunk.raw for chunk in recipe]
        return all(right) and not source.read(1)


def stretches(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield rows in the order of the file, as many at a time as one request reads."""
    stretch: list[Row] = []
    for row in sorted(rows, key=lambda row: row[1]):
        if stretch and row[1] + row[2] - stretch[0][1] > PART:
            yield stretch
            stretch = []
        stretch.append(row)
    if stretch:
        yield stretch
