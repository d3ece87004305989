"""Push: objects go to a remote, hashed on the way; packs first, the index that names them last."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlops_cli.errors import IntegrityError, NotFound, OutsideWorld
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store import chunks
from mlops_cli.store.cache import Cache
from mlops_cli.store.closure import Reached, Root, closure
from mlops_cli.store.digest import Digest
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.transfer import remote_index
from mlops_cli.store.transfer.remote_index import RemoteIndex
from mlops_cli.store.transfer.sent import Sent

__all__ = ["PushPlan", "Sent", "absent_error", "damaged_error", "plan_push", "push"]

LANES = 5  # packs under way at once, each of which is in memory
NAMED_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a push would send, and why it might not."""

    roots: tuple[Root, ...]
    small: tuple[Reached, ...]  # travel in packs as they are
    large: tuple[Reached, ...]  # travel as chunks in packs, where they can be cut
    held: int  # objects that are there already
    absent: tuple[Reached, ...]  # neither here nor there
    damaged: tuple[Reached, ...]  # trees that cannot be read
    everything: bool = False  # what is there goes again
    at_most: bool = False  # the remote has chunks, and how many will do again only reading tells

    @property
    def objects(self) -> int:
        """How many objects would be sent."""
        return len(self.small) + len(self.large)

    @property
    def bytes(self) -> int:
        """How many bytes would be sent (see `at_most`), but for a few that hold packs together."""
        return sum(part.size for part in self.small) + sum(part.size for part in self.large)

    @property
    def uncut(self) -> bool:
        """Whether large objects would travel whole, as nothing here can cut them."""
        return bool(self.large) and not chunks.available()

    @property
    def requests(self) -> int:
        """How many writes that is about: one for each pack, and a few for what names them."""
        if not self.objects:
            return 0
        from mlops_cli.store.transfer import naming, sending  # which bring threads

        size = self.bytes
        if self.uncut:
            return -(-(size - self._large) // sending.PACK_BYTES) + 2 + len(self.large)
        names = -(-size // naming.AFTER_BYTES) + (2 if self.large else 0)
        return -(-size // sending.PACK_BYTES) + names

    @property
    def _large(self) -> int:
        return sum(part.size for part in self.large)


def plan_push(
    cache: Cache, index: RemoteIndex, roots: Sequence[Root], *, everything: bool = False
) -> PushPlan:
    """Return what must be sent so that the remote has all of `roots`; changes nothing.

    `everything` sends again what the remote says it has: the way to mend it.
    """
    due = [root for root in roots if everything or root.digest not in index.complete]
    reached = closure(cache, due)
    unopened = {part.digest: part for part in reached.absent}
    there = set() if everything else _there(cache, index, {*reached.objects, *unopened})
    trees: list[Reached] = []  # together, so that a fetch has them with few requests
    files: list[Reached] = []
    large: list[Reached] = []
    absent = [part for part in reached.absent if part.digest not in there]
    due_parts = [part for digest, part in reached.objects.items() if digest not in there]
    lost = cache.lacking({part.digest.raw for part in due_parts if not part.tree})
    for part in due_parts:
        if lost and part.digest.raw in lost:
            absent.append(part)
        elif part.size >= chunks.CHUNKED_FROM:
            large.append(part)
        else:
            (trees if part.tree else files).append(part)
    return PushPlan(
        roots=tuple(roots),
        small=(*trees, *files),
        large=tuple(large),
        held=len(there),
        absent=tuple(absent),
        damaged=tuple(reached.damaged),
        everything=everything,
        at_most=bool(large) and any(name.endswith(remote_index.PACKED) for name in index.names),
    )


def _there(cache: Cache, index: RemoteIndex, wanted: set[Digest]) -> set[Digest]:
    """Return those of `wanted` that the remote has, with all that it needs to give them back."""
    found = index.find(wanted)
    if not index.gone:
        return set(found)
    from mlops_cli.store.transfer import cuts
    from mlops_cli.store.transfer.chunk_table import chunk_table

    # a recipe may have lost chunks; where it is not known which it needs, the object is cut again
    table = chunk_table(index)
    there = set()
    for digest, spots in found.items():
        recipe = cuts.remembered(cache, digest) if spots[0].recipe else ()
        if recipe is not None and all(table.spots(chunk.raw) for chunk in recipe):
            there.add(digest)
    return there


def push(
    plan: PushPlan,
    cache: Cache,
    remote: Remote,
    index: RemoteIndex,
    *,
    compress: bool = False,
    progress: Progress = SILENT,
) -> tuple[Sent, RemoteIndex]:
    """Send what `plan` says and return what was sent and what the remote holds now.

    `compress` stores as zstd what gets shorter by it. Raises IntegrityError ("damaged-object",
    not sent; everything else was), NotFound ("missing-object", nothing was sent), OutsideWorld.
    Running it again goes on where it ended.
    """
    if plan.damaged:
        raise damaged_error(plan.damaged)
    if plan.absent:
        raise absent_error(plan.absent, "is neither in the cache nor on the remote")
    if not plan.objects:
        index = index.with_complete(root.digest for root in plan.roots)
        remote_index.save(index)
        return Sent(), index
    # what sends brings threads, and a push that has nothing to send is the most frequent one
    from mlops_cli.store.transfer.lanes import in_parallel
    from mlops_cli.store.transfer.naming import Namer
    from mlops_cli.store.transfer.sending import Sender

    sliced, whole = ((), plan.large) if plan.uncut else (plan.large, ())
    with progress.task("pushing", total=plan.bytes, unit="B") as task:
        namer = Namer(remote, index)
        sender = Sender(cache, remote, index, namer, task, plan.everything, compress)
        try:
            in_parallel(sender.jobs(plan.small, sliced, whole), lanes=min(remote.lanes, LANES))
            namer.settle()
        except BaseException:
            with contextlib.suppress(OutsideWorld):
                namer.settle()  # what has arrived need not go again
            raise
        finally:
            index = index.with_names(namer.files)
            remote_index.save(index)
    sender.sent.objects += namer.named
    if sender.sent.damaged:
        raise damaged_error(sender.sent.damaged)
    index = index.with_complete(root.digest for root in plan.roots)
    remote_index.save(index)
    return sender.sent, index


def damaged_error(parts: Sequence[Reached]) -> IntegrityError:
    """Return the error that names damaged local objects by the paths that need them."""
    first, more = parts[0], len(parts) - 1
    others = f" (and {more} more)" if more else ""
    return IntegrityError(
        f"the object of {first.path} is damaged in the cache{others}; it was not sent",
        code="damaged-object",
        hint="mlops verify --repair",
        details={"damaged": _named(parts)},
    )


def absent_error(parts: Sequence[Reached], why: str) -> NotFound:
    """Return the error that names objects that are nowhere by the paths that need them."""
    first, more = parts[0], len(parts) - 1
    others = f" (and {more} more)" if more else ""
    return NotFound(
        f"the object of {first.path} {why}{others}",
        code="missing-object",
        hint="mlops pull; else in the clone that has it: mlops push, --history for older versions",
        details={"missing": _named(parts)},
    )


def _named(parts: Sequence[Reached]) -> list[dict[str, Any]]:
    return [{"path": part.path, "digest": part.digest} for part in parts[:NAMED_AT_MOST]]
