"""Verify: what the cache holds is read and hashed; what is damaged or missing is named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.care import rounds
from mlops_cli.store.care.course import Flaw, Level
from mlops_cli.store.care.examine import Examiner
from mlops_cli.store.care.rounds import Extent
from mlops_cli.store.closure import Reached, Readable, Root, closure
from mlops_cli.store.digest import Digest

ROUND = "verify.json"  # in the cache: how far the last round came
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """An object that is not as it should be, and the paths that need it (the first few)."""

    digest: Digest
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. Damaged objects of a cache have been set aside already."""

    level: Level
    checked: int  # objects
    bytes: int  # that were read and hashed
    units: int  # packs and large objects there are, and so many bytes
    total: int
    complete: bool  # False when the time ran out: the next one can go on
    damaged: tuple[Finding, ...]
    missing: tuple[Finding, ...]
    flaws: tuple[Flaw, ...]  # of files that hold objects

    @property
    def clean(self) -> bool:
        """Tell whether all that was looked at is here and right."""
        return not self.damaged and not self.missing and not self.flaws


@dataclass(frozen=True, slots=True)
class Needed:
    """All that roots need, by digest, with the paths for whose sake."""

    parts: dict[Digest, Reached] = field(default_factory=dict)
    unopened: dict[Digest, Reached] = field(default_factory=dict)  # trees: what is below is unknown
    paths: dict[Digest, list[str]] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)  # trees that only a stranger would write

    def finding(self, digest: Digest) -> Finding:
        """Return the object with the first paths that need it."""
        return Finding(digest, tuple(self.paths.get(digest, ())[:5]))

    def findings(self, digests: Iterable[Digest]) -> tuple[Finding, ...]:
        """Return one finding for each of `digests`, in the order of their paths."""
        found = map(self.finding, digests)
        return tuple(sorted(found, key=lambda one: (one.paths, one.digest)))


WHOLE = Extent()


def verify(
    cache: Cache,
    roots: Sequence[Root],
    *,
    extent: Extent = WHOLE,
    lanes: int = 0,
    progress: Progress = SILENT,
) -> Report:
    """Look at the objects of the cache as `extent` says, and for every object that `roots` need.

    What no root needs is looked at as well. Damaged bytes go to quarantine.
    """
    with progress.task("verifying", unit="B") as task:
        examiner = Examiner(cache, extent.level, task)
        units = list(examiner.units())
        total = sum(unit.size for unit in units)
        task.expect(round(total * (extent.share or 1)))
        file = cache.root / ROUND
        course = rounds.walk(file, units, extent, examiner.look, lanes=lanes or _lanes())
    wanted = needed(cache, roots)
    wrong = dict.fromkeys(digest for digest in course.wrong if not cache.has(digest))
    flaws = dict.fromkeys((*course.flaws, *wanted.flaws))
    missing: list[Digest] = []
    for digest in wanted.paths:
        if digest in wrong or digest in missing:
            continue
        if not cache.has(digest):
            if set_aside(cache, digest):
                wrong[digest] = None
            else:
                missing.append(digest)
        elif extent.level != "metadata" and (part := wanted.parts.get(digest)):
            right, flaw = _sized(cache, part)
            if not right:
                wrong[digest] = None
            if flaw:
                flaws[flaw] = None
    return Report(
        extent.level,
        course.checked,
        course.bytes,
        len(units),
        total,
        course.complete,
        wanted.findings(wrong),
        wanted.findings(missing),
        tuple(flaws),
    )


def needed(cache: Readable, roots: Iterable[Root]) -> Needed:
    """Return what `roots` need, as far as their trees can be opened."""
    found = Needed()
    for root in roots:  # one by one: an object that two roots need is named for both
        try:
            reached = closure(cache, [root])
        except IntegrityError as exc:  # its bytes are right, and it is no listing of ours
            found.flaws.append(Flaw(root.path, exc.message))
            continue
        for part in reached.objects.values():
            found.parts.setdefault(part.digest, part)
            found.paths.setdefault(part.digest, []).append(part.path)
        for part in (*reached.absent, *reached.damaged):
            found.unopened.setdefault(part.digest, part)
            found.paths.setdefault(part.digest, []).append(part.path)
    return found


def set_aside(cache: Cache, digest: Digest) -> bool:
    """Tell whether wrong bytes of that name lie in quarantine."""
    return cache.objects.aside(digest).exists()


def _sized(cache: Cache, part: Reached) -> tuple[bool, Flaw | None]:
    """Return whether an object is right; where its size is not what its tree says, one of the two
    is wrong, and only its bytes tell which."""
    try:
        size = cache.size(part.digest)
        if part.tree or size == part.size or not part.size:
            return True, None
        with cache.open(part.digest) as stream:
            while stream.read(CHUNK):
                pass
    except (IntegrityError, NotFound):
        return False, None
    return True, Flaw(part.path, f"is listed with {part.size} bytes and has {size}")


def _lanes() -> int:
    return min(os.cpu_count() or 1, 4)
