"""What the tags of the registry name: models, bundles, evidence."""

from __future__ import annotations

from mlops_cli.store.space.collect import Named, names_in
from mlops_cli.vcs import tags
from mlops_cli.vcs.repo import Git
from mlops_cli.vcs.tags import Tag


def roots(git: Git) -> Named:
    """Return every digest in the payload of a version or of an event of an alias.

    Also where it lies about itself; what cannot be read at all names nothing.
    """
    digests: set[bytes] = set()
    for tag in tags.listing(git, "mlops/"):
        if isinstance(tag, Tag):
            digests |= names_in(tag.payload).digests
    return Named(frozenset(digests))
