"""Verify a remote: what lies there is read and hashed, and held against its own indexes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache, open_cache
from mlops_cli.store.care import rounds, verified
from mlops_cli.store.care.course import Outcome, Unit
from mlops_cli.store.care.examine_remote import RemoteExaminer
from mlops_cli.store.care.rounds import Extent
from mlops_cli.store.care.verify import WHOLE, Report, needed
from mlops_cli.store.closure import Root
from mlops_cli.store.digest import Digest
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.transfer import fetch
from mlops_cli.store.transfer.remote_index import RemoteIndex

ROUND = "verify.json"  # beside what is remembered of the remote


def verify_remote(
    cache: Cache,
    remote: Remote,
    index: RemoteIndex,
    roots: Sequence[Root],
    *,
    now: datetime,
    extent: Extent = WHOLE,
    progress: Progress = SILENT,
) -> tuple[Report, RemoteExaminer]:
    """Look at what `remote` holds as `extent` says; return what was found, and who found it.

    `index` is the answer to a thorough look. Of those `roots` that are there, everything has to
    be there; listings that are not here come into the cache. What was read and found right is
    remembered, so that the cache may let go of its own copy (`verified`).
    """
    with progress.task(f"verifying {remote.url}", unit="B") as task:
        examiner = RemoteExaminer(remote, index, extent.level, task, cache)
        units = [Unit(name, examiner.weight(name)) for name in index.names]
        total = sum(unit.size for unit in units)
        task.expect(round(total * (extent.share or 1)))

        def settle(done: Sequence[tuple[Unit, Outcome]]) -> None:
            if extent.level == "bytes":
                right = [unit.name for unit, one in done if not one.wrong and not one.flaws]
                wrong = [unit.name for unit, one in done if one.wrong or one.flaws]
                verified.remember(index.folder, right, wrong=wrong, needs=examiner.needs, now=now)

        file = index.folder / ROUND
        course = rounds.walk(file, units, extent, examiner.look, lanes=remote.lanes, settle=settle)
    sent = promised(index, roots)
    brought = fetch.fetch_trees(cache, remote, index, sent)
    wanted = needed(cache, sent)
    held = index.find(wanted.paths)
    wrong = dict.fromkeys(part.digest for part in brought.damaged)
    wrong |= dict.fromkeys(course.wrong)
    chunks = {digest.raw for digest in wrong if digest not in wanted.paths}
    for chunk, digest, _ in examiner.uses(chunks) if chunks else ():
        wrong.pop(Digest.from_raw(chunk.raw), None)  # the object that is made of it says more
        wrong[digest] = None
    missing = [digest for digest in wanted.paths if digest not in held and digest not in wrong]
    report = Report(
        extent.level,
        course.checked,
        course.bytes,
        len(units),
        total,
        course.complete,
        wanted.findings(wrong),
        wanted.findings(missing),
        tuple(dict.fromkeys((*course.flaws, *wanted.flaws))),
    )
    return report, examiner


def examine(
    remote: Remote, index: RemoteIndex, name: str, *, now: datetime, progress: Progress = SILENT
) -> None:
    """Read and hash what one index file speaks of, and what its recipes rely upon; remember what
    was found right."""
    cache = open_cache(index.folder.parents[1])  # the one that remembers the remote
    with progress.task(f"verifying {remote.url}", unit="B") as task:
        examiner = RemoteExaminer(remote, index, "bytes", task, cache)
        waiting, seen = [name], set(verified.verified(index.folder).at)
        while waiting:
            one = waiting.pop()
            seen.add(one)
            outcome = examiner.look(Unit(one, 0))
            right = not outcome.wrong and not outcome.flaws
            verified.remember(
                index.folder,
                [one] if right else [],
                wrong=[] if right else [one],
                needs=examiner.needs,
                now=now,
            )
            waiting += sorted(examiner.needs.pop(one, set()) - seen)


def promised(index: RemoteIndex, roots: Sequence[Root]) -> list[Root]:
    """Return those of `roots` that the remote says it has, be they there or not."""
    named = dataclasses.replace(index, gone=frozenset()).find({root.digest for root in roots})
    return [root for root in roots if root.digest in named]
