"""Fetch: objects come from a remote; every byte is hashed before anything may use it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.progress import SILENT, Progress, Task
from mlops_cli.store.cache import Cache
from mlops_cli.store.closure import Reached, Root, children
from mlops_cli.store.digest import Digest
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.transfer import remote_index
from mlops_cli.store.transfer.assembling import Assembler
from mlops_cli.store.transfer.chunk_table import chunk_table
from mlops_cli.store.transfer.lanes import in_parallel
from mlops_cli.store.transfer.nearby import Nearby
from mlops_cli.store.transfer.receiving import Fetched, Receiver
from mlops_cli.store.transfer.recipes_there import read_recipes
from mlops_cli.store.transfer.remote_index import RemoteIndex, Spot
from mlops_cli.store.transfer.transfer import absent_error

__all__ = ["Fetched", "fetch", "fetch_objects"]

LANES = 5  # requests under way at once, the answer of each of which is in memory


def fetch(
    cache: Cache,
    remote: Remote,
    index: RemoteIndex,
    roots: Sequence[Root],
    *,
    progress: Progress = SILENT,
) -> Fetched:
    """Bring everything below `roots` that is not in the cache; return what came.

    Wrong bytes go to quarantine. Raises, after all that can be had is here, IntegrityError
    ("damaged-object") or NotFound ("missing-object"), which name the paths.
    """
    fetched = Fetched()
    with progress.task("fetching", unit="B") as task:
        files = _trees(cache, remote, index, roots, fetched, task)
        _bring(cache, remote, index, files, fetched, task)
    if fetched.gone:
        remote_index.save(index.with_gone(fetched.gone))
    if fetched.damaged:
        raise _damaged(fetched.damaged, remote)
    if fetched.absent:
        raise absent_error(fetched.absent, f"is neither in the cache nor at {remote.url}")
    return fetched


def fetch_objects(
    cache: Cache, remote: Remote, index: RemoteIndex, parts: Sequence[Reached]
) -> Fetched:
    """Bring just `parts`, not what is below them; what cannot be had is only reported."""
    fetched = Fetched()
    with SILENT.task("fetching") as task:
        _bring(cache, remote, index, {part.digest: part for part in parts}, fetched, task)
    return fetched


def fetch_trees(cache: Cache, remote: Remote, index: RemoteIndex, roots: Sequence[Root]) -> Fetched:
    """Bring the listings below `roots`, and no files; what cannot be had is only reported."""
    fetched = Fetched()
    with SILENT.task("fetching") as task:
        _trees(cache, remote, index, roots, fetched, task)
    return fetched


def _trees(
    cache: Cache,
    remote: Remote,
    index: RemoteIndex,
    roots: Sequence[Root],
    fetched: Fetched,
    task: Task,
) -> dict[Digest, Reached]:
    """Bring all trees, level by level, and return the files below them that are not here."""
    files: dict[Digest, Reached] = {}
    level: dict[Digest, str] = {}
    for root in roots:
        if root.kind == "tree":
            level.setdefault(root.digest, root.path)
        else:
            files.setdefault(root.digest, Reached(root.digest, root.size, root.path, False))
    files = _lacking(cache, files)
    seen = set(level)
    while level:
        trees = {digest: Reached(digest, 0, path, True) for digest, path in level.items()}
        wanted = _lacking(cache, trees)
        _bring(cache, remote, index, wanted, fetched, task)
        below: dict[Digest, str] = {}
        named: dict[Digest, Reached] = {}
        for digest, path in level.items():
            try:
                data = cache.read(digest)
            except (NotFound, IntegrityError):
                if digest not in wanted:  # it was here and turned out damaged: once more
                    _bring(cache, remote, index, {digest: trees[digest]}, fetched, task)
                if not cache.has(digest):
                    continue
                data = cache.read(digest)
            for part in children(data, path):
                if not part.tree:
                    named.setdefault(part.digest, part)
                elif part.digest not in seen:
                    seen.add(part.digest)
                    below[part.digest] = part.path
        for digest, part in _lacking(cache, named).items():
            files.setdefault(digest, part)
        level = below
    return files


def _lacking(cache: Cache, parts: dict[Digest, Reached]) -> dict[Digest, Reached]:
    raws = {digest.raw: part for digest, part in parts.items()}
    lacking = cache.lacking(set(raws))
    return {part.digest: part for raw, part in raws.items() if raw in lacking}


def _bring(
    cache: Cache,
    remote: Remote,
    index: RemoteIndex,
    wanted: dict[Digest, Reached],
    fetched: Fetched,
    task: Task,
) -> None:
    spots = index.find(wanted)
    fetched.absent += [part for digest, part in wanted.items() if digest not in spots]
    lanes = min(remote.lanes, LANES)
    while spots:
        whole, cut = dict[Digest, Spot](), dict[Digest, Spot]()
        for digest, found in spots.items():
            (cut if found[0].recipe else whole)[digest] = found[0]
        with cache.writer() as writer:
            receiver = Receiver(cache, remote, writer, fetched, task)
            in_parallel(receiver.jobs(whole), lanes=lanes)
        wrong, lost = receiver.wrong, set[Digest]()
        if cut:
            recipes = read_recipes(remote, cut, wanted, fetched)
            nearby = Nearby(cache, recipes.values())
            assembler = Assembler(cache, remote, chunk_table(index), nearby, fetched, task)
            with cache.writing(), contextlib.closing(assembler):
                in_parallel(assembler.jobs(recipes.items()), lanes=lanes)
            wrong += [*(cut.keys() - recipes.keys()), *assembler.wrong]
            lost = assembler.lost
        # an object that came wrong or not at all may lie in another pack as well
        retry = {}
        for digest in wrong:
            former, *others = spots[digest]
            if others:
                retry[digest] = others
            elif former.name in fetched.gone or digest in lost:
                fetched.absent.append(wanted[digest])
            else:
                fetched.damaged.append(wanted[digest])
        spots = retry


def _damaged(parts: Sequence[Reached], remote: Remote) -> IntegrityError:
    first, more = parts[0], len(parts) - 1
    others = f" (and {more} more)" if more else ""
    return IntegrityError(
        f"the remote {remote.url} has wrong bytes for {first.path}{others}; they are not used",
        code="damaged-object",
        hint=f"mlops push --force {first.path.partition('/')[0]} from a clone that has good bytes",
        details={
            "url": remote.url,
            "damaged": [{"path": part.path, "digest": part.digest} for part in parts[:20]],
        },
    )
