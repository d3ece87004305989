"""The recipes of objects, read from a remote."""

from __future__ import annotations

import contextlib

from mlops_cli.errors import IntegrityError
from mlops_cli.store.closure import Reached
from mlops_cli.store.digest import Digest
from mlops_cli.store.recipes import Recipe, longest, parse_recipe
from mlops_cli.store.remotes.remote import Remote
from mlops_cli.store.transfer.receiving import Fetched
from mlops_cli.store.transfer.remote_index import Spot
from mlops_cli.store.transfer.stretches import bounds, stretches

UNKNOWN = 1 << 40  # bytes that an object may have of which nothing is known but its digest


def read_recipes(
    remote: Remote, spots: dict[Digest, Spot], wanted: dict[Digest, Reached], fetched: Fetched
) -> dict[Digest, Recipe]:
    """Return the recipes at `spots`, without those that are not there or are lies."""
    found: dict[Digest, Recipe] = {}
    fitting = [
        (spot, digest)
        for digest, spot in spots.items()
        if spot.length <= longest(wanted[digest].size or UNKNOWN)
    ]
    for stretch in stretches(fitting):
        name, start, end = bounds(stretch)
        data = remote.read(name, start, end)
        if data is None:
            fetched.gone.add(name)
            continue
        for spot, digest in stretch:
            size = wanted[digest].size
            with contextlib.suppress(IntegrityError):
                recipe = parse_recipe(data[spot.offset - start : spot.offset - start + spot.length])
                if not size or recipe.size == size:
                    found[digest] = recipe
    return found
