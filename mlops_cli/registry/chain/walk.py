"""The chain behind a model: alias event, version, bundle, provenance, runs, raw data."""

from __future__ import annotations

from collections.abc import Iterator

from mlops_cli.ledger.index import open_index
from mlops_cli.registry.chain import bundle, names, origin, rows
from mlops_cli.registry.chain.bundle import Brought
from mlops_cli.registry.chain.ground import Ground
from mlops_cli.registry.chain.link import Link


def walk(ground: Ground, name: str) -> tuple[Link, ...]:
    """Return every link behind what `name` means ("delay@production", "delay@v3"), in order.

    Nothing is changed. Raises NotFound, UsageError for a name that means nothing here.
    """
    return tuple(_links(ground, name))


def _links(ground: Ground, name: str) -> Iterator[Link]:
    with open_index(ground.git) as index:
        found = names.meant(ground, index, name)
        yield from found.links
        if found.version is not None:
            brought = Brought()
            yield from bundle.bundle(ground, found.version, brought)
            yield from rows.rows(ground, found.version)
            yield from origin.origin(ground, index, found.version, brought)
