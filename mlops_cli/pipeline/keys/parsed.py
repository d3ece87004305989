"""Parsed text kept under its own digest: reading YAML costs more than the rest of a no-op."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlops_cli import __version__, fsio
from mlops_cli.errors import OutsideWorld


def remembered(
    data: bytes,
    make: Callable[[], Any],
    *,
    maker: str,
    cache: Path | None,
    holds: Callable[[Any], bool] = lambda _: True,
) -> Any:
    """Return `make()` for the text `data`, or what it gave the last time for the same bytes, if
    that still `holds`.

    `maker` names who parses and in which revision; `cache` is the folder of kept answers, None
    to keep none. The folder may be deleted at any time.
    """
    if cache is None:
        return make()
    name = hashlib.sha256(f"{__version__}\0{maker}\0".encode() + data).hexdigest()
    path = cache / f"{name[:32]}.json"
    try:
        known = json.loads(path.read_bytes())
        if holds(known):
            return known
    except (OSError, ValueError):
        pass
    value = make()
    try:
        fsio.write_atomic(path, json.dumps(value), durable=False)
    except (OutsideWorld, OSError, TypeError):
        pass  # a cache that cannot be written costs time, nothing else
    return value


def parsed(path: Path, *, name: str, cache: Path | None) -> Any:
    """Return the YAML file `path` as plain values. Raises as `document.read`."""
    try:
        data = path.read_bytes()
    except OSError:
        from mlops_cli.pipeline.words import document

        return document.plain(document.read(path, name=name))  # raises with the reason
    return remembered(data, lambda: _plain(data, name), maker=f"yaml {name} 1", cache=cache)


def _plain(data: bytes, name: str) -> Any:
    from mlops_cli.pipeline.words import document  # only for a text that was not seen before

    return document.plain(document.parse(data, name=name))
