"""Verify and mend the cache of a project or one of its remotes, from wherever good copies are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.errors import ConfigError, MissingExtra, OutsideWorld
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.care import repair, verify
from mlops_cli.store.care.repair import Source
from mlops_cli.store.care.rounds import Extent
from mlops_cli.store.care.verify import Finding, Report
from mlops_cli.store.closure import Reached, Root
from mlops_cli.workspace import mend, remotes, sync
from mlops_cli.workspace.tracked import Tracked

if TYPE_CHECKING:
    from mlops_cli.store.remotes.remote import Remote


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and what was mended."""

    report: Report
    mended: tuple[Finding, ...] = ()


def here(
    cache: Cache, roots: Sequence[Root], *, extent: Extent, progress: Progress = SILENT
) -> Verdict:
    """Verify the cache, and that it holds all of `roots`."""
    return Verdict(verify.verify(cache, roots, extent=extent, progress=progress))


def mend_here(
    verdict: Verdict,
    cache: Cache,
    roots: Sequence[Root],
    *,
    tracked: Sequence[Tracked],
    root: Path,
    known: Sequence[remotes.Named],
    now: datetime,
    unheard: Callable[[str], None],
    again: Callable[[Tracked], None],
) -> Verdict:
    """Bring good copies from the workspace, from each of the remotes `known`, and imports by
    `again` from where they came.

    A place that does not answer is told to `unheard`, and the next one asked.
    """
    sources = [mend.from_workspace(root, tracked, cache)]
    sources += [_patient(one, root, cache, now=now, unheard=unheard) for one in known]
    sources.append(mend.from_sources(tracked, again, unheard=unheard))
    mended, left = repair.repair(cache, verdict.report, roots, sources=sources)
    return Verdict(left, mended)


def there(
    cache: Cache,
    remote: Remote,
    roots: Sequence[Root],
    *,
    extent: Extent,
    mending: bool,
    now: datetime,
    progress: Progress = SILENT,
) -> Verdict:
    """Verify `remote`, and that of those `roots` it holds it holds everything.

    With `mending`, what is wrong or missing there and right here is sent again.
    Raises OutsideWorld, ConfigError ("remote-format-unknown").
    """
    from mlops_cli.store.care import mend_remote
    from mlops_cli.store.care.verify_remote import promised, verify_remote
    from mlops_cli.store.remotes.layout import check_format
    from mlops_cli.store.transfer import transfer
    from mlops_cli.store.transfer.remote_index import memory, refresh

    layout = check_format(remote)
    folder = memory(cache.root, remote.id)
    index = refresh(remote, folder, now=now, thorough=True)
    report, examiner = verify_remote(
        cache, remote, index, roots, now=now, extent=extent, progress=progress
    )
    if not mending or report.clean:
        return Verdict(report)
    lost = mend_remote.mend(cache, examiner)
    gone = index.gone
    for one in promised(index, roots):
        plan = transfer.plan_push(cache, index, [one])
        if not plan.damaged and not plan.absent:
            outgoing = sync.Outgoing(plan, index, layout)
            _, index = sync.push(outgoing, cache, remote, progress=progress)
    index = refresh(remote, folder, now=now, thorough=True)
    back = index.find({finding.digest for finding in report.missing})
    named_again = {f"index/{name}" for name in examiner.harm.indexes} | (gone - index.gone)
    # a chunk that is lost takes along all objects that are made of it
    lost |= {digest for _, digest, _ in examiner.uses({one.raw for one in lost}) if lost}
    left = dataclasses.replace(
        report,
        damaged=tuple(one for one in report.damaged if one.digest in lost),
        missing=tuple(one for one in report.missing if one.digest not in back),
        flaws=tuple(flaw for flaw in report.flaws if flaw.name not in named_again),
    )
    bad = {one.digest for one in (*left.damaged, *left.missing)}
    mended = [one for one in (*report.damaged, *report.missing) if one.digest not in bad]
    return Verdict(left, tuple(mended))


def _patient(
    named: remotes.Named,
    root: Path,
    cache: Cache,
    *,
    now: datetime,
    unheard: Callable[[str], None],
) -> Source:
    source: list[Source] = []

    def ask(parts: Sequence[Reached]) -> None:
        try:
            if not source:
                source.append(mend.from_remote(remotes.connect(named, root), cache, now=now))
            source[0](parts)
        except (OutsideWorld, ConfigError, MissingExtra) as exc:
            unheard(f"{named.name}: {exc.message}")

    return ask
