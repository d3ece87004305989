"""All that makes one step stale, in the order in which people are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlops_cli.pipeline.keys.key import UNKNOWN, Key
from mlops_cli.pipeline.planning import reasons
from mlops_cli.pipeline.planning.differences import differences
from mlops_cli.pipeline.planning.reasons import Reason
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces.lock import Lock


def because_of(
    step: Step,
    lock: Lock | None,
    now: Key,
    paths: Mapping[str, str | None],
    *,
    missing: Iterable[str],
    earlier: Iterable[str],
    forced: bool,
    interrupted: bool,
) -> list[Reason]:
    """Return why `step`, whose key is `now`, is stale; nothing where it is not.

    `missing` is what it reads and nobody makes, `earlier` are the steps that it waits for.
    """
    because: list[Reason] = [reasons.Forced()] if forced else []
    because += [reasons.InputMissing(path) for path in dict.fromkeys(missing)]
    if lock is None:
        because.append(reasons.NeverRan())
    elif lock.key != now.digest:
        because += [
            reason
            for reason in differences(lock.parts, now.parts)
            if not (isinstance(reason, reasons.InputChanged) and reason.new == UNKNOWN)
        ]
    because += [reasons.UpstreamStale(name) for name in earlier]
    if interrupted:
        because.append(reasons.Interrupted())
    if lock is not None:
        if lock.theirs is not None:
            because.append(reasons.Undecided())
        because += of_outputs(lock, paths)
    if step.always:
        because.append(reasons.Always())
    return because


def of_outputs(lock: Lock, paths: Mapping[str, str | None]) -> list[Reason]:
    """Return which outputs are not there as the lock tells."""
    found: list[Reason] = []
    for path, out in lock.outputs.items():
        digest = paths.get(path, UNKNOWN)
        if digest is None:
            found.append(reasons.OutputMissing(path))
        elif digest not in (out.digest, UNKNOWN):
            found.append(reasons.OutputChanged(path))
    return found
