"""Which kind of source a URL is: one room for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_cli.store.sources.source import WEB, Source, Version


def open_source(
    url: str, options: Mapping[str, Any] | None = None, pinned: Version | None = None
) -> Source:
    """Return the source at `url`, as `spell` gives it, without asking it anything yet."""
    if url.partition("://")[0] in WEB:
        from mlops_cli.store.sources.web import Web

        return Web(url)
    from mlops_cli.store.sources.outside import open_outside

    return open_outside(url, options or {}, pinned)
