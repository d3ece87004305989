"""From the workspace into the store; and the digest alone, without storing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from struct import unpack

from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import BatchWriter, Cache
from mlops_cli.store.digest import RAW_LENGTH, Digest
from mlops_cli.store.files.edited import settle
from mlops_cli.store.files.linked import beside
from mlops_cli.store.files.reading import Reading
from mlops_cli.store.files.scan import Folder, Ignored, Kind, Scan, mode_of, scan
from mlops_cli.store.statcache import FACTS, UNKNOWN, Known, StatCache, encoded, settled
from mlops_cli.store.tree import Row, write_rows


@dataclass(frozen=True, slots=True)
class Stored:
    """What a path holds: the digest of its bytes or of its tree, and how much that is."""

    digest: Digest
    kind: Kind
    size: int
    files: int


def ingest(
    path: Path,
    *,
    cache: Cache,
    stats: StatCache | None = None,
    ignored: Ignored | None = None,
    progress: Progress = SILENT,
    jobs: int = 0,
) -> Stored:
    """Store the file or folder at `path` and return what it holds.

    Objects come first, then trees, so that a crash leaves objects without a name and never a name
    without its objects. Empty folders, links and the executable bit are kept; names must be UTF-8.
    `ignored` is asked with the path relative to `path` and whether it is a folder. `jobs` is the
    number of processes for many small files; 0 is one for each core, up to eight.
    Raises NotFound ("missing-path"), StateRefused ("special-file", "reserved-name",
    "name-not-utf8", "is-a-link", "file-changed"), OutsideWorld ("disk-full", "cannot-read").
    """
    if stats is not None:
        settle(beside(stats), cache, path)
    memory = _Memory(path, stats)
    with (
        cache.writer() as writer,
        Reading(writer=writer, progress=progress, jobs=jobs) as reading,
    ):
        found = _look(path, ignored, cache, memory, reading)
        _forget_what_is_not_stored(memory.met, cache, writer)
        for folder in memory.met:
            reading.take(folder)
        reading.finish()
        _assemble(found, writer=writer)
    memory.keep(found)
    return total(found)


def fingerprint(
    path: Path,
    *,
    stats: StatCache | None = None,
    ignored: Ignored | None = None,
    cache: Cache | None = None,
    progress: Progress = SILENT,
    jobs: int = 0,
) -> Stored:
    """Return what `ingest` would return, storing nothing; it raises the same.

    With `cache`, links into it count as the files they stand for.
    """
    found = survey(path, stats=stats, ignored=ignored, cache=cache, progress=progress, jobs=jobs)
    return total(found)


def survey(
    path: Path,
    *,
    stats: StatCache | None,
    ignored: Ignored | None,
    cache: Cache | None,
    progress: Progress = SILENT,
    jobs: int = 0,
) -> Scan:
    """Return the scan of `path` with every digest filled in."""
    if cache is not None and stats is not None:
        settle(beside(stats), cache, path)
    memory = _Memory(path, stats)
    with Reading(writer=None, progress=progress, jobs=jobs) as reading:
        found = _look(path, ignored, cache, memory, reading)
        for folder in memory.met:
            reading.take(folder)
        reading.finish()
    _assemble(found)
    memory.keep(found)
    return found


def _look(
    path: Path, ignored: Ignored | None, cache: Cache | None, memory: _Memory, reading: Reading
) -> Scan:
    """Return the scan; what lies in folders never met before is being read already."""

    def seen(folder: Folder) -> None:
        if not memory.recognise(folder):
            reading.take(folder)

    return scan(path, ignored=ignored, cache_root=cache.root if cache else None, seen=seen)


class _Memory:
    """What the stat cache knows of one path, and what it is to know."""

    def __init__(self, path: Path, stats: StatCache | None) -> None:
        self._path, self._stats = os.path.abspath(path), stats
        self._known: dict[str, Known] | None = None
        self._stamp: int | None = None
        self.met: list[Folder] = []  # of which something was known
        self._unsettled: list[Folder] = []  # of which not all was

    def recognise(self, folder: Folder) -> bool:
        """Fill in the digests of all files that look as they did; return whether the folder was
        known at all."""
        if self._stats is None:
            return False
        single = folder.path == os.path.dirname(self._path)  # the folder of one file
        if self._known is None:
            self._known = self._stats.load(folder.path, below=not single)
        former = self._known.pop(folder.path, None)
        if former is not None:
            self.met.append(folder)
            if _fill_in(folder, former) or (single and UNKNOWN not in folder.digests):
                return True
        if self._stamp is None:
            # before any file is read, and only where something has changed
            self._stamp = self._stats.clock()
        self._unsettled.append(folder)
        return former is not None

    def keep(self, found: Scan) -> None:
        """Keep what was read, except files so young that they could still change unseen."""
        if self._stats is None or self._stamp is None:
            return
        changed: dict[str, Known] = {}
        for folder in self._unsettled:
            whole = found.kind == "tree" and not folder.folders
            changed[folder.path] = settled(
                Known(
                    encoded(folder.names),
                    folder.facts,
                    b"".join(folder.digests),
                    folder.tree if whole else b"",
                    folder.size,
                ),
                self._stamp,
            )
        if found.kind == "tree":
            self._stats.replace(changed.items())
        else:
            self._stats.merge(changed)


def _fill_in(folder: Folder, former: Known) -> bool:
    """Fill in what is known of `folder`; return whether that was all."""
    if encoded(folder.names) == former.names:
        raws = _raws(former)
        if folder.facts == former.facts:
            folder.digests = raws
            if not folder.folders and former.tree:
                folder.tree, folder.size, folder.files = former.tree, former.size, len(raws)
                return True
            return UNKNOWN not in raws
        looks = zip(raws, folder.stats(), FACTS.iter_unpack(former.facts), strict=True)
        folder.digests = [raw if now == was else UNKNOWN for raw, now, was in looks]
        return False
    by_name, step = former.by_name(), FACTS.size
    for at, name in enumerate(folder.names):
        facts, digest = by_name.get(name.encode(), (b"", UNKNOWN))
        if facts == folder.facts[at * step : (at + 1) * step]:
            folder.digests[at] = digest
    return False


def _raws(known: Known) -> list[bytes]:
    return list(unpack(f"{RAW_LENGTH}s" * (len(known.digests) // RAW_LENGTH), known.digests))


def _forget_what_is_not_stored(met: list[Folder], cache: Cache, writer: BatchWriter) -> None:
    """A digest that is known spares reading the file only if its bytes are in this cache."""
    known = {digest for folder in met for digest in folder.digests}
    known.discard(UNKNOWN)
    lacking = cache.lacking(known)
    writer.rely(*(known - lacking))
    if not lacking:
        return
    for folder in met:
        if not lacking.isdisjoint(folder.digests):
            folder.digests = [UNKNOWN if raw in lacking else raw for raw in folder.digests]
            folder.tree = b""


def total(found: Scan) -> Stored:
    """Return what a survey found, as a whole."""
    top = found.folders[0]
    if found.kind == "file":
        (facts,) = top.stats()
        return Stored(Digest.from_raw(top.digests[0]), "file", facts[0], 1)
    return Stored(Digest.from_raw(top.tree), "tree", top.size, top.files)


def _assemble(found: Scan, *, writer: BatchWriter | None = None) -> None:
    """Work out the listings from the innermost folder outwards."""
    if found.kind == "file":
        return
    for folder in reversed(found.folders):
        if folder.tree and (writer is None or writer.has_raw(folder.tree)):
            continue
        listing = write_rows(rows(folder))
        folder.tree = sha256(listing).digest()
        folder.size = sum(facts[0] for facts in folder.stats())
        folder.size += sum(inner.size for _, inner in folder.folders)
        folder.files = len(folder.names) + sum(inner.files for _, inner in folder.folders)
        if writer is not None:
            writer.add_raw(folder.tree, listing)


def rows(folder: Folder) -> list[Row]:
    """Return the rows of a folder's listing; the folders in it are done already."""
    found: list[Row] = [
        (name, mode_of(facts[4]), digest.hex(), facts[0], 1)
        for name, facts, digest in zip(folder.names, folder.stats(), folder.digests, strict=True)
    ]
    found += [
        (name, "dir", inner.tree.hex(), inner.size, inner.files) for name, inner in folder.folders
    ]
    return found
