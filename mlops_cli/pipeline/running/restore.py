"""Outputs from the cache to their places; what stands there now is in the cache first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mlops_cli.pipeline.traces.lock import Lock, Output
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.statcache import StatCache


def keep(
    root: Path, path: str, digest: str | None, *, cache: Cache, stats: StatCache | None
) -> str | None:
    """Put what is at `path` into the cache if it is nowhere else; return its digest then.

    `digest` is that of what is there, None when nothing is.
    """
    if digest is None or not os.path.lexists(root / path):
        return None
    if digest.startswith("sha256:") and cache.has(Digest(digest)):
        return None
    from mlops_cli.store.files.ingest import ingest
    from mlops_cli.workspace.ignore import ignored_in

    ignored = ignored_in(root, path) if (root / path).is_dir() else None
    return str(ingest(root / path, cache=cache, stats=stats, ignored=ignored).digest)


def keep_all(
    root: Path,
    now: Mapping[str, str | None],
    lock: Lock | None,
    *,
    cache: Cache,
    stats: StatCache | None,
) -> dict[str, str]:
    """Keep the paths `now` (with their digests); return what no step made, but a hand."""
    outputs = lock.outputs if lock else {}
    made = {out.digest for out in outputs.values()}
    spare = {out.digest for out in outputs.values() if not out.stored}  # as it was asked for
    kept: dict[str, str] = {}
    for path, digest in now.items():
        if digest in spare:
            continue
        saved = keep(root, path, digest, cache=cache, stats=stats)
        if saved and saved not in made:
            kept[path] = saved
    return kept


def restore(
    root: Path,
    outputs: Mapping[str, Output],
    now: Mapping[str, str | None],
    *,
    cache: Cache,
    stats: StatCache | None,
) -> dict[str, str]:
    """Make `outputs` stand at their places; `now` are the digests of what is there.

    Returns what was put into the cache because it stood there and nowhere else. Raises NotFound
    ("missing-object"), IntegrityError ("damaged-object").
    """
    kept: dict[str, str] = {}
    for path, out in outputs.items():
        if now.get(path) == out.digest:
            continue
        if saved := keep(root, path, now.get(path), cache=cache, stats=stats):
            kept[path] = saved
        _place(root, path, out, cache, stats)
    return kept


def _place(root: Path, path: str, out: Output, cache: Cache, stats: StatCache | None) -> None:
    from mlops_cli import fsio
    from mlops_cli.pipeline.traces.marker import remove

    target = root / path
    digest = Digest(out.digest)
    target.parent.mkdir(parents=True, exist_ok=True)
    if out.kind == "tree":
        from mlops_cli.store.files.arrange import plan_materialize
        from mlops_cli.store.files.materialize import materialize
        from mlops_cli.workspace.ignore import ignored_in

        if not target.is_dir() or target.is_symlink():
            remove(target)
        # what is ignored is in no tree, so it is nowhere else: it stays where it is
        ignored = ignored_in(root, path)
        plan = plan_materialize(cache, digest, "tree", target, stats=stats, ignored=ignored)
        materialize(plan, overwrite=True)
        return
    fresh = fsio.temporary_beside(target)
    try:
        cache.copy_to(digest, fresh)
        if target.is_dir() and not target.is_symlink():
            remove(target)
        fresh.replace(target)
    finally:
        remove(fresh)
