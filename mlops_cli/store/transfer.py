"""Push: objects go to a remote, hashed on the way; packs first, the index that names them last."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from mlops_cli import fsio
from mlops_cli.errors import IntegrityError, NotFound, OutsideWorld
from mlops_cli.progress import SILENT, Progress, Task
from mlops_cli.store import packs, remote_index
from mlops_cli.store.cache import PACK_BELOW, Cache
from mlops_cli.store.closure import Reached, Root, closure
from mlops_cli.store.remote import Remote
from mlops_cli.store.remote_index import RemoteIndex

PACK_BYTES = 16 << 20  # a pack is built in memory, one for each lane, and sent as one
IN_ONE_PIECE = 8 << 20
INDEX_AFTER_BYTES = 256 << 20  # so much is lost at most when a push is killed
INDEX_AFTER_OBJECTS = 256
NAMED_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a push would send, and why it might not."""

    roots: tuple[Root, ...]
    small: tuple[Reached, ...]  # travel in packs
    large: tuple[Reached, ...]  # travel alone
    held: int  # objects that are there already
    absent: tuple[Reached, ...]  # neither here nor there
    damaged: tuple[Reached, ...]  # trees that cannot be read

    @property
    def objects(self) -> int:
        """How many objects would be sent."""
        return len(self.small) + len(self.large)

    @property
    def bytes(self) -> int:
        """How many bytes would be sent, but for a few that hold packs together."""
        return sum(part.size for part in self.small) + sum(part.size for part in self.large)

    @property
    def requests(self) -> int:
        """How many writes that is about: two for each pack, one for each large object."""
        packs_needed = -(-sum(part.size for part in self.small) // PACK_BYTES)
        return 2 * packs_needed + len(self.large) + (1 if self.large else 0)


@dataclass(slots=True)
class Sent:
    """What a push did."""

    objects: int = 0
    bytes: int = 0
    packs: int = 0
    damaged: list[Reached] = field(default_factory=list)


def plan_push(
    cache: Cache, index: RemoteIndex, roots: Sequence[Root], *, everything: bool = False
) -> PushPlan:
    """Return what must be sent so that the remote has all of `roots`; changes nothing.

    `everything` sends again what the remote says it has: the way to mend it.
    """
    due = [root for root in roots if everything or root.digest not in index.complete]
    reached = closure(cache, due)
    unopened = {part.digest: part for part in reached.absent}
    there = {} if everything else index.find({*reached.objects, *unopened})
    small: list[Reached] = []
    large: list[Reached] = []
    absent = [part for part in reached.absent if part.digest not in there]
    for part in reached.objects.values():
        if part.digest in there:
            continue
        if not part.tree and not cache.has(part.digest):
            absent.append(part)
        else:
            (small if part.size < PACK_BELOW else large).append(part)
    return PushPlan(
        roots=tuple(roots),
        small=tuple(small),
        large=tuple(large),
        held=len(there),
        absent=tuple(absent),
        damaged=tuple(reached.damaged),
    )


def push(
    plan: PushPlan, cache: Cache, remote: Remote, index: RemoteIndex, *, progress: Progress = SILENT
) -> tuple[Sent, RemoteIndex]:
    """Send what `plan` says and return what was sent and what the remote holds now.

    Raises IntegrityError ("damaged-object", not sent; everything else was), NotFound
    ("missing-object", nothing was sent), OutsideWorld. Running it again goes on where it ended.
    """
    if plan.damaged:
        raise damaged_error(plan.damaged)
    if plan.absent:
        raise absent_error(plan.absent, "is neither in the cache nor on the remote")
    sent, names = Sent(), set[str]()
    with progress.task("pushing", total=plan.bytes, unit="B") as task:
        sender = _Sender(cache, remote, index, sent, names, task)
        jobs = sender.jobs(plan)
        try:
            in_parallel(jobs, lanes=remote.lanes)
            sender.name_large(at_least=1)
        except BaseException:
            with contextlib.suppress(OutsideWorld):
                sender.name_large(at_least=1)  # what has arrived need not go again
            raise
        finally:
            index = index.with_names(names)
            remote_index.save(index)
    if sent.damaged:
        raise damaged_error(sent.damaged)
    index = index.with_complete(root.digest for root in plan.roots)
    remote_index.save(index)
    return sent, index


@dataclass(slots=True)
class _Sender:
    cache: Cache
    remote: Remote
    index: RemoteIndex
    sent: Sent
    names: set[str]
    task: Task
    lock: threading.Lock = field(default_factory=threading.Lock)
    unnamed: list[Reached] = field(default_factory=list)  # sent, and not yet in an index file

    def jobs(self, plan: PushPlan) -> Iterator[Callable[[], None]]:
        for part in plan.large:
            yield lambda part=part: self.send_large(part)  # type: ignore[misc]
        for rows, body in self.packed(plan.small):
            yield lambda rows=rows, body=body: self.send_pack(rows, body)  # type: ignore[misc]

    def packed(
        self, parts: Iterable[Reached]
    ) -> Iterator[tuple[dict[bytes, tuple[int, int]], bytes]]:
        """Build packs in the order of the walk: the same objects give the same pack again."""
        rows: dict[bytes, tuple[int, int]] = {}
        body, end = [packs.PACK_MAGIC], len(packs.PACK_MAGIC)
        for part in parts:
            try:
                data = self.cache.read(part.digest)  # verified here, and never sent otherwise
            except (IntegrityError, NotFound):
                self.sent.damaged.append(part)
                continue
            raw = part.digest.raw
            head = packs.RECORD.pack(raw, len(data))
            rows[raw] = (end + len(head), len(data))
            body += (head, data)
            end += len(head) + len(data)
            if end >= PACK_BYTES:
                yield rows, b"".join(body)
                rows, body, end = {}, [packs.PACK_MAGIC], len(packs.PACK_MAGIC)
        if rows:
            yield rows, b"".join(body)

    def send_pack(self, rows: dict[bytes, tuple[int, int]], body: bytes) -> None:
        index = packs.write_index(rows)
        stem = packs.index_name(index)
        self.remote.write(remote_index.pack_name(stem), body)
        self.publish(stem + remote_index.PACKED, index)
        size = sum(length for _, length in rows.values())
        with self.lock:
            self.sent.packs += 1
            self.sent.objects += len(rows)
            self.sent.bytes += size
        self.task.advance(size)

    def send_large(self, part: Reached) -> None:
        try:
            with (
                self.cache.open(part.digest) as source,
                self.remote.writing(remote_index.object_name(part.digest), part.size) as target,
            ):
                while chunk := source.read(IN_ONE_PIECE):
                    target.write(chunk)
                    self.task.advance(len(chunk))
        except (IntegrityError, NotFound):
            # raised at the end of the stream, inside the block: the remote never gave it a name
            with self.lock:
                self.sent.damaged.append(part)
            return
        with self.lock:
            self.sent.objects += 1
            self.sent.bytes += part.size
            self.unnamed.append(part)
        self.name_large(at_least=INDEX_AFTER_OBJECTS)

    def name_large(self, *, at_least: int) -> None:
        with self.lock:
            size = sum(part.size for part in self.unnamed)
            if not self.unnamed or (len(self.unnamed) < at_least and size < INDEX_AFTER_BYTES):
                return
            ready, self.unnamed = self.unnamed, []
        index = packs.write_index({part.digest.raw: (0, part.size) for part in ready})
        self.publish(packs.index_name(index) + remote_index.WHOLE, index)

    def publish(self, name: str, data: bytes) -> None:
        self.remote.write(f"index/{name}", data)
        fsio.write_atomic(self.index.folder / "index" / name, data, durable=False)
        with self.lock:
            self.names.add(name)


def in_parallel(jobs: Iterable[Callable[[], Any]], *, lanes: int) -> None:
    """Run `jobs` in `lanes` threads, no more than that under way; the first error ends it."""
    with ThreadPoolExecutor(lanes, thread_name_prefix="mlops-transfer") as pool:
        running: set[Future[Any]] = set()
        try:
            for job in jobs:
                running.add(pool.submit(job))
                if len(running) >= lanes:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            for future in running:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


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
        hint="mlops pull, or push from the clone that has it; `mlops push PATH` sends the rest",
        details={"missing": _named(parts)},
    )


def _named(parts: Sequence[Reached]) -> list[dict[str, Any]]:
    return [{"path": part.path, "digest": part.digest} for part in parts[:NAMED_AT_MOST]]
