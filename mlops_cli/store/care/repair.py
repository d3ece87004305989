"""Repair: good copies of damaged and missing objects are asked for, wherever there may be some."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from mlops_cli.store.cache import Cache
from mlops_cli.store.care.reindex import reindex
from mlops_cli.store.care.verify import Finding, Report, needed, set_aside
from mlops_cli.store.closure import Reached, Root
from mlops_cli.store.digest import Digest

Source = Callable[[Sequence[Reached]], None]


def repair(
    cache: Cache, report: Report, roots: Sequence[Root], *, sources: Sequence[Source]
) -> tuple[tuple[Finding, ...], Report]:
    """Ask `sources` in turn for good copies; return what was mended and what is left.

    A source stores what it has of the parts it is asked for; the first is the cache itself, whose
    packs tell what is in them without an index. A tree that came back may need objects that
    nobody knew of, so the sources are asked until nothing more comes.
    """
    mended: dict[Digest, Finding] = {}
    left = {finding.digest: finding for finding in (*report.damaged, *report.missing)}
    reindexed = reindex(cache.packs, {digest.raw for digest in left})
    _take_back(cache, left, mended)
    progressed = True
    while left and progressed:
        progressed = False
        for source in sources:
            if left:
                source([_part(finding) for finding in left.values()])
                progressed = _take_back(cache, left, mended) or progressed
        wanted = needed(cache, roots)
        for digest in wanted.paths:
            if digest not in left and not cache.has(digest):
                left[digest] = wanted.finding(digest)
    never_here = {finding.digest for finding in report.missing}
    damaged = [one for one in left.values() if _damaged(cache, one.digest, never_here)]
    rest = dataclasses.replace(
        report,
        damaged=tuple(damaged),
        missing=tuple(one for one in left.values() if one not in damaged),
        flaws=tuple(flaw for flaw in report.flaws if flaw.name not in reindexed),
    )
    return tuple(mended.values()), rest


def _take_back(cache: Cache, left: dict[Digest, Finding], mended: dict[Digest, Finding]) -> bool:
    back = [digest for digest in left if cache.has(digest)]
    for digest in back:
        mended[digest] = left.pop(digest)
        cache.objects.aside(digest).unlink(missing_ok=True)
    return bool(back)


def _damaged(cache: Cache, digest: Digest, never_here: set[Digest]) -> bool:
    return digest not in never_here and set_aside(cache, digest)


def _part(finding: Finding) -> Reached:
    return Reached(finding.digest, 0, finding.paths[0] if finding.paths else "", False)
