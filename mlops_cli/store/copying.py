"""From one cache into another on the same machine; every byte is hashed on the way."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.store.cache import PACK_BELOW, Cache
from mlops_cli.store.closure import Root, closure


def copy(source: Cache, target: Cache, roots: Sequence[Root]) -> None:
    """Bring what `target` lacks below `roots`; what `source` lacks, or has damaged, is left out.

    Large objects share blocks where the disk can.
    """
    with target.writer() as writer:
        for part in closure(source, roots).objects.values():
            if target.has(part.digest):
                continue
            try:
                if part.tree or part.size < PACK_BELOW:
                    writer.add(part.digest, source.read(part.digest))
                    continue
                with target.objects.temporary() as temporary:
                    source.copy_to(part.digest, temporary)
                    target.objects.publish(temporary, part.digest)
            except (NotFound, IntegrityError):
                continue  # a remote may have it
