"""A few questions to a remote that wait for their answers together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlops_cli.store.remotes.remote import Remote


def at_once(remote: Remote, calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Return what each of `calls`, which ask `remote`, answers; raise what the first that failed
    raised, when none is under way any more."""
    # what lies on a disk is there before a thread is
    lanes = 1 if remote.folder else min(remote.lanes, len(calls))
    if lanes <= 1:
        return [call() for call in calls]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(lanes, thread_name_prefix="mlops-transfer") as pool:
        answers = [pool.submit(call) for call in calls]
    return [answer.result() for answer in answers]
