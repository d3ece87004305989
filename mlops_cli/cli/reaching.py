"""What commands need to fetch from elsewhere: where mirrors lie, and how a URL is written down."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli import config, fsio
from mlops_cli.vcs import address

if TYPE_CHECKING:
    from mlops_cli.cli.context import Context
    from mlops_cli.store.cache import Cache
    from mlops_cli.workspace.reach import Reach


def reach(ctx: Context, cache: Cache, start: Path) -> Reach:
    """Return how other places are reached; relative paths begin at `start`."""
    from mlops_cli.workspace.reach import Reach
    from mlops_cli.workspace.trust import trust

    folder = config.user_cache(home=ctx.home, environment=ctx.environment)
    trusted = trust(ctx.settings, ctx.environment)
    return Reach(cache, start, folder / "git", ctx.home, ctx.now, trusted, ctx.progress)


@contextlib.contextmanager
def cache(ctx: Context, target: Path | None = None) -> Iterator[Cache]:
    """Offer the cache of the project, or without one a cache that goes again: beside `target`,
    on whose disk it may share blocks, or where temporary files are."""
    from mlops_cli.store.cache import open_cache

    if config.find_root(ctx.cwd) is not None:
        yield ctx.project().cache
        return
    if target is None:
        folder = Path(tempfile.mkdtemp(prefix="mlops-"))
    else:
        with fsio.translated(target):
            folder = fsio.temporary_beside(target)
    try:
        yield open_cache(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def portable(url: str, cwd: Path, root: Path) -> str:
    """Return the URL of a repository as it should stand in a pointer: a relative path is
    relative to the project, wherever the person stood. Raises as `address.parse` does."""
    where = address.parse(url, start=cwd)
    if where.folder is None:
        return where.url
    if "://" in url or url.startswith(("/", "~")):
        return str(where.folder)
    return os.path.relpath(where.folder, root)


def portable_path(url: str, cwd: Path, root: Path) -> str:
    """Return a plain URL, or the path of a file, as it should stand in a pointer."""
    from mlops_cli.store.sources.source import spell

    spelled = spell(url, start=cwd)
    if "://" in url or url.startswith(("/", "~")):
        return spelled
    return os.path.relpath(spelled.removeprefix("file://"), root)


def target(out: str | None, name: str, cwd: Path) -> Path:
    """Return where `-o OUT` means: itself, or `name` in it where it is a folder."""
    place = cwd / (out or name)
    if out is not None and (out.endswith("/") or place.is_dir()):
        place /= name
    return place


def tell_stale(ctx: Context, stale: str) -> None:
    """Warn where a mirror answered for a repository that could not be asked."""
    if stale:
        ctx.warn(f"{stale}; what was there before is used")
