"""Verify: every object is read and hashed; what is damaged or missing is named and mended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import PACK_BELOW, Cache
from mlops_cli.store.closure import Reached, Root, closure
from mlops_cli.store.digest import Digest

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """An object that is not as it should be, and the paths that need it (the first few)."""

    digest: Digest
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a look at every byte found. Damaged objects have been set aside already."""

    checked: int
    bytes: int
    damaged: tuple[Finding, ...]
    missing: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Tell whether everything is here and right."""
        return not self.damaged and not self.missing


def verify(cache: Cache, roots: Sequence[Root], *, progress: Progress = SILENT) -> Report:
    """Read every object of the cache, and look for every object that `roots` need.

    What no root needs is checked as well. Damaged bytes go to quarantine.
    """
    checked = size = 0
    damaged: dict[Digest, None] = {}
    with progress.task("verifying", unit="B") as task:
        for digest in cache.iterate():
            checked += 1
            try:
                length = _check(cache, digest)
            except IntegrityError:
                damaged[digest] = None
                continue
            except NotFound:
                continue  # set aside under our hands by another process
            size += length
            task.advance(length)
    needed, unopened = _needed(cache, roots)
    missing: dict[Digest, None] = {}
    for digest in (*needed, *unopened):
        if digest not in damaged and not cache.has(digest):
            (damaged if _set_aside(cache, digest) else missing)[digest] = None
    paths = {**unopened, **needed}
    return Report(checked, size, _findings(damaged, paths), _findings(missing, paths))


def repair(
    cache: Cache,
    report: Report,
    roots: Sequence[Root],
    *,
    sources: Sequence[Callable[[Sequence[Reached]], None]],
) -> tuple[tuple[Finding, ...], Report]:
    """Ask `sources` in turn for good copies; return what was mended and what is left.

    A source stores what it has of the parts it is asked for. A tree that came back may need
    objects that nobody knew of, so the sources are asked until nothing more comes.
    """
    mended: dict[Digest, Finding] = {}
    left = {finding.digest: finding for finding in (*report.damaged, *report.missing)}
    progressed = True
    while left and progressed:
        progressed = False
        for source in sources:
            if not left:
                break
            source([_part(finding) for finding in left.values()])
            back = {digest: finding for digest, finding in left.items() if cache.has(digest)}
            mended |= back
            progressed = progressed or bool(back)
            for digest in back:
                cache.objects.aside(digest).unlink(missing_ok=True)
                del left[digest]
        needed, unopened = _needed(cache, roots)
        for digest, paths in {**unopened, **needed}.items():
            if digest not in left and not cache.has(digest):
                left[digest] = Finding(digest, tuple(paths))
    asked = {finding.digest for finding in report.missing}
    rest = Report(
        report.checked,
        report.bytes,
        tuple(f for d, f in left.items() if d not in asked and _set_aside(cache, d)),
        tuple(f for d, f in left.items() if d in asked or not _set_aside(cache, d)),
    )
    return tuple(mended.values()), rest


def _check(cache: Cache, digest: Digest) -> int:
    """Return the length of the object. Raises IntegrityError when its bytes are wrong."""
    if cache.size(digest) < PACK_BELOW:
        return len(cache.read(digest))
    length = 0
    with cache.open(digest) as stream:
        while chunk := stream.read(CHUNK):
            length += len(chunk)
    return length


def _needed(
    cache: Cache, roots: Iterable[Root]
) -> tuple[dict[Digest, list[str]], dict[Digest, list[str]]]:
    """Return digest → paths of all that is needed, and of the trees that cannot be opened."""
    needed: dict[Digest, list[str]] = {}
    unopened: dict[Digest, list[str]] = {}
    for root in roots:  # one by one: an object that two roots need is named for both
        reached = closure(cache, [root])
        for part in reached.objects.values():
            needed.setdefault(part.digest, []).append(part.path)
        for part in (*reached.absent, *reached.damaged):
            unopened.setdefault(part.digest, []).append(part.path)
    return needed, unopened


def _set_aside(cache: Cache, digest: Digest) -> bool:
    return cache.objects.aside(digest).exists()


def _findings(digests: Iterable[Digest], paths: dict[Digest, list[str]]) -> tuple[Finding, ...]:
    found = [Finding(digest, tuple(paths.get(digest, ())[:5])) for digest in digests]
    return tuple(sorted(found, key=lambda finding: (finding.paths, finding.digest)))


def _part(finding: Finding) -> Reached:
    return Reached(finding.digest, 0, finding.paths[0] if finding.paths else "", False)
