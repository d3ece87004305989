"""Push, fetch and pull what is tracked; and what would be left to push, without asking anyone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.closure import digests
from mlops_cli.store.digest import Digest
from mlops_cli.store.transfer import remote_index
from mlops_cli.store.transfer.remote_index import RemoteIndex, memory, refresh
from mlops_cli.workspace import completeness, ignore
from mlops_cli.workspace.tracked import Tracked

if TYPE_CHECKING:  # `status` asks what is outstanding and has no time for threads
    from mlops_cli.store.remotes.remote import Remote
    from mlops_cli.store.transfer.fetch import Fetched
    from mlops_cli.store.transfer.transfer import PushPlan, Sent


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a push would send, with what was known of the remote when it was planned."""

    plan: PushPlan
    index: RemoteIndex
    layout: bytes | None  # the file that says how the remote is laid out, if it is there


@dataclass(frozen=True, slots=True)
class Standing:
    """How one tracked path stands in the cache and on the remote."""

    tracked: Tracked
    cached: bool  # everything below it is in the cache
    missing: int  # objects that the cache lacks; of a tree that is not here, only itself is known
    pushed: bool | None  # everything is on the remote; None when that cannot be told from here
    unpushed: int  # objects that the remote lacks
    reason: str
    mend: str

    @property
    def clean(self) -> bool:
        """Tell whether nothing is left to do."""
        return self.cached and self.pushed is not False


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What is left to push or pull; `refreshed` says when the remote was last asked."""

    rows: tuple[Standing, ...]
    refreshed: datetime | None


def outstanding(
    cache: Cache,
    tracked: Sequence[Tracked],
    index: RemoteIndex | None,
    others: Mapping[str, RemoteIndex] = MappingProxyType({}),
) -> Outstanding:
    """Return how each of `tracked` stands in the cache and on its remote.

    Asks no network: `index` is what was known of the default remote after the last push or pull
    (None: no remote is configured), `others` the same of the remotes that paths name. A path
    that is not to be pushed stands nowhere but here, and is clean so. What was found complete
    is remembered, so that the next call opens no tree.
    """
    known = completeness.load(cache)
    rows: list[Standing] = []
    complete: dict[str, set[Digest]] = {}
    indexes = {"": index, **others}
    for one in tracked:
        name = one.remote or ""
        row = _standing(cache, one, indexes.get(name) if one.push else None, known)
        rows.append(row)
        if row.pushed:
            complete.setdefault(name, set()).add(one.digest)
    completeness.save(cache, known)
    for name, roots in complete.items():
        found = indexes[name]
        if found is not None and not roots <= found.complete:
            remote_index.save(found.with_complete(roots))
    return Outstanding(tuple(rows), index.refreshed if index else None)


def plan_push(
    cache: Cache,
    remote: Remote,
    tracked: Sequence[Tracked],
    *,
    now: datetime,
    everything: bool = False,
) -> Outgoing:
    """Ask the remote what it has and return what a push would send; sends nothing."""
    from mlops_cli.store.transfer import transfer

    layout, index = _look(cache, remote, now=now, pushing=True)
    roots = [one.root for one in tracked]
    plan = transfer.plan_push(cache, index, roots, everything=everything)
    return Outgoing(plan, index, layout)


def push(
    outgoing: Outgoing, cache: Cache, remote: Remote, *, progress: Progress = SILENT
) -> tuple[Sent, RemoteIndex]:
    """Send what was planned, and raise before the first byte of it where nobody may write."""
    from mlops_cli.store.remotes.layout import leave_listing, start
    from mlops_cli.store.transfer import transfer

    sending = outgoing.plan.objects and not (outgoing.plan.absent or outgoing.plan.damaged)
    if sending:
        start(remote, outgoing.layout)
    sent, index = transfer.push(
        outgoing.plan, cache, remote, outgoing.index, compress=remote.compress, progress=progress
    )
    if sent.objects and remote.listing:
        leave_listing(remote, index.listing())
    return sent, index


def lacking(cache: Cache, tracked: Sequence[Tracked]) -> list[Tracked]:
    """Return those of `tracked` that the cache does not hold as a whole."""
    return [row.tracked for row in outstanding(cache, tracked, None).rows if not row.cached]


def fetch(
    cache: Cache,
    remote: Remote,
    tracked: Sequence[Tracked],
    *,
    now: datetime,
    progress: Progress = SILENT,
) -> Fetched:
    """Bring into the cache whatever of `tracked` it lacks; the workspace stays as it is."""
    from mlops_cli.store.transfer import fetch as fetching

    ignore.hide(cache.root)
    _, index = _look(cache, remote, now=now)
    return fetching.fetch(cache, remote, index, [one.root for one in tracked], progress=progress)


def _look(
    cache: Cache, remote: Remote, *, now: datetime, pushing: bool = False
) -> tuple[bytes | None, RemoteIndex]:
    """Ask the remote how it is laid out and what it holds."""
    from mlops_cli.store.remotes.layout import check_format
    from mlops_cli.store.transfer.together import at_once

    folder = memory(cache.root, remote.id)
    asking = lambda: check_format(remote, required=not pushing), lambda: remote.list("index")
    layout, listed = at_once(remote, asking)
    return layout, refresh(remote, folder, now=now, thorough=pushing, listed=listed)


def _standing(
    cache: Cache, one: Tracked, index: RemoteIndex | None, known: completeness.Complete
) -> Standing:
    here = one.digest in known.roots
    there = index is not None and one.digest in index.complete
    missing = unpushed = 0
    pushed: bool | None = None if index is None or index.refreshed is None else there
    if not here or (pushed is False):
        every, unopened = digests(cache, one.root)
        missing = len(unopened | cache.lacking(every - unopened))
        if not missing:
            known.roots.add(one.digest)
        if pushed is False and index is not None:
            # what is below a tree that is not here cannot be told; the remote has the tree only
            # if somebody pushed it, and then all of it
            unpushed = len(every) - len(index.find(map(Digest.from_raw, every)))
            pushed = unpushed == 0
    return _with_reason(one, missing, pushed, unpushed)


def _with_reason(one: Tracked, missing: int, pushed: bool | None, unpushed: int) -> Standing:
    cached = missing == 0
    if not cached and pushed is not False:
        there = "" if pushed is None else "; the remote has it"
        reason, mend = f"{_objects(missing)} not in the cache{there}", f"mlops pull {one.path}"
    elif not cached:
        # not `add`: somebody else may have pushed it since, and it would undo that
        reason = f"{_objects(missing)} neither here nor, when it was last asked, on the remote"
        mend = f"mlops pull {one.path}" if one.step is None else "mlops pull, or mlops run"
    elif pushed is False:
        reason, mend = f"{_objects(unpushed)} not on the remote", "mlops push"
    else:
        reason, mend = "", ""
    return Standing(one, cached, missing, pushed, unpushed, reason, mend)


def _objects(count: int) -> str:
    return f"{count} object{'' if count == 1 else 's'}"
