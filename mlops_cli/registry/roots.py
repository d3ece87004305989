"""What the tags of the registry name: models, bundles, evidence."""

from __future__ import annotations

from mlops_cli.store.space.collect import Named, names_in
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git


def roots(git: Git) -> Named:
    """Return every digest in the payload of a version or of an event of an alias."""
    digests: set[bytes] = set()
    for tag in tags.listing(git, "mlops/"):
        digests |= names_in(tag.payload).digests
    return Named(frozenset(digests))
