"""Unsaved edits carried over to the pointer that git has brought since: a merge of three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.statcache import StatCache
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import footing, track
from mlops_cli.workspace.merge import merge_file
from mlops_cli.workspace.merge_shelf import MergeShelf
from mlops_cli.workspace.pointer import Pointer, encode_pointer
from mlops_cli.workspace.resolve import Decided
from mlops_cli.workspace.tracked import Tracked, entries


def carry(
    root: Path,
    one: Tracked,
    stand: Pointer,
    *,
    git: Git,
    cache: Cache,
    stats: StatCache,
    shelf: MergeShelf,
    tracked: Sequence[Tracked],
    progress: Progress = SILENT,
) -> Decided:
    """Store what lies at `one` and merge it, as our side, with what its pointer says now; `stand`
    is the pointer on which it was worked. The workspace stays as it is.

    Raises what `track.add` and `merge_file` raise, and then has changed nothing.
    """
    with cache.writing():  # until the pointer names it, gc must leave it alone
        (taken,) = track.take(
            root,
            [one.path],
            git=git,
            cache=cache,
            stats=stats,
            tracked=tracked,
            force=True,
            progress=progress,
        )
        base = encode_pointer(stand).encode()
        (was,) = entries(one.source, base)
        ours = track.pointer_of(root, replace(taken, former=was))
        theirs = (root / one.source).read_bytes()
        found = merge_file(one.source, base, encode_pointer(ours).encode(), theirs, shelf=shelf)
        fsio.write_atomic(root / one.source, found.data)
    footing.remember(root, ours)  # what the merge brought is not in the workspace yet
    return Decided(one.source, found.data, found.conflicts, found.note)
