"""Inputs on the web: what a server says of a URL stands in the place of a digest.

A run asks the server about a URL that no lock knows, and about all of them with --refresh;
otherwise what the lock says holds, so that a run without a network does what it did before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mlops_cli.errors import NotFound
from mlops_cli.pipeline.words.urls import is_url

if TYPE_CHECKING:
    from mlops_cli.pipeline.traces.lock import Lock


def noted(locks: Iterable[Lock]) -> dict[str, str]:
    """Return what locks say of the URLs that their steps read."""
    return {
        dep: mark
        for lock in locks
        for dep, mark in lock.parts.get("inputs", {}).items()
        if is_url(dep)
    }


def now(urls: Iterable[str], noted: Mapping[str, str], *, refresh: bool) -> dict[str, str | None]:
    """Return what stands for each URL in a key, None where its server has nothing there.

    Raises OutsideWorld where a server has to be asked and does not answer.
    """
    return {url: noted[url] if url in noted and not refresh else _asked(url) for url in urls}


def _asked(url: str) -> str | None:
    """Return the strongest sign that the server gives; the digest of the bytes where it gives
    none."""
    import hashlib

    from mlops_cli.store.sources.kinds import open_source
    from mlops_cli.store.sources.source import Broken

    source = open_source(url)
    try:
        version = source.look()
        if version.version:
            return f"version:{version.version}"
        if version.etag:
            return f"etag:{version.etag.removeprefix('W/').strip(chr(34))}"
        if version.modified:
            return f"modified:{version.modified} size:{version.size}"
        hashed = hashlib.sha256()
        for block in source.stream(0, None).blocks:
            hashed.update(block)
        return f"sha256:{hashed.hexdigest()}"
    except NotFound:
        return None
    except Broken as exc:
        raise exc.error from exc
