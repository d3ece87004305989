"""From the workspace into the store; and the digest alone, without storing."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from struct import unpack

from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import BatchWriter, Cache
from mlops_cli.store.digest import RAW_LENGTH, Digest
from mlops_cli.store.files.edited import settle
from mlops_cli.store.files.linked import beside
from mlops_cli.store.files.reading import read_unknown
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
    found = scan(path, ignored=ignored, cache_root=cache.root)
    unsettled = _recognise(found, stats)
    stamp = stats.clock() if stats and unsettled else 0
    with cache.writer() as writer:
        _forget_what_is_not_stored(found, cache, writer)
        read_unknown(found, writer=writer, progress=progress, jobs=jobs)
        _assemble(found, writer=writer)
    _remember(found, unsettled, stats, stamp)
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
    found = scan(path, ignored=ignored, cache_root=cache.root if cache else None)
    unsettled = _recognise(found, stats)
    stamp = stats.clock() if stats and unsettled else 0
    read_unknown(found, writer=None, progress=progress, jobs=jobs)
    _assemble(found)
    _remember(found, unsettled, stats, stamp)
    return found


def _recognise(found: Scan, stats: StatCache | None) -> list[Folder]:
    """Fill in the digests of all files that look as they did; return the folders that differ."""
    if stats is None:
        return []
    known = stats.load(found.folders[0].path, below=found.kind == "tree")
    unsettled = []
    step = FACTS.size
    for folder in found.folders:
        former = known.get(folder.path)
        if former is None:
            unsettled.append(folder)
            continue
        if folder.facts == former.facts and encoded(folder.names) == former.names:
            folder.digests = digests = _raws(former)
            if not folder.folders and former.tree:
                folder.tree, folder.size, folder.files = former.tree, former.size, len(digests)
            elif UNKNOWN in digests:
                unsettled.append(folder)
            continue
        unsettled.append(folder)
        if encoded(folder.names) == former.names:
            folder.digests = [
                digest if now == was else UNKNOWN
                for digest, now, was in zip(
                    _raws(former), folder.stats(), FACTS.iter_unpack(former.facts), strict=True
                )
            ]
            continue
        by_name = former.by_name()
        for at, name in enumerate(folder.names):
            facts, digest = by_name.get(name.encode(), (b"", UNKNOWN))
            if facts == folder.facts[at * step : (at + 1) * step]:
                folder.digests[at] = digest
    if found.kind == "file" and UNKNOWN not in found.folders[0].digests:
        return []
    return unsettled


def _raws(known: Known) -> list[bytes]:
    return list(unpack(f"{RAW_LENGTH}s" * (len(known.digests) // RAW_LENGTH), known.digests))


def _forget_what_is_not_stored(found: Scan, cache: Cache, writer: BatchWriter) -> None:
    """A digest that is known spares reading the file only if its bytes are in this cache."""
    known = {digest for folder in found.folders for digest in folder.digests}
    known.discard(UNKNOWN)
    lacking = cache.lacking(known)
    writer.rely(*(known - lacking))
    if not lacking:
        return
    for folder in found.folders:
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


def _remember(found: Scan, unsettled: list[Folder], stats: StatCache | None, stamp: int) -> None:
    """Keep what was read, except files so young that they could still change unseen."""
    if stats is None or not unsettled:
        return
    changed: dict[str, Known] = {}
    for folder in unsettled:
        whole = found.kind == "tree" and not folder.folders
        changed[folder.path] = settled(
            Known(
                encoded(folder.names),
                folder.facts,
                b"".join(folder.digests),
                folder.tree if whole else b"",
                folder.size,
            ),
            stamp,
        )
    if found.kind == "tree":
        stats.replace(changed.items())
    else:
        stats.merge(changed)
