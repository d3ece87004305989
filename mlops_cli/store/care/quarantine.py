"""What was set aside: bytes that were found under a name that says something else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import PREFIX, RAW_LENGTH, Digest
from mlops_cli.store.objects import listing


@dataclass(frozen=True, slots=True)
class Aside:
    """Wrong bytes; `replaced` says that a good copy is in the cache meanwhile."""

    digest: Digest
    bytes: int
    since: datetime
    replaced: bool


def quarantine(cache: Cache) -> list[Aside]:
    """Return what lies in quarantine, the oldest first."""
    found = []
    for name in listing(cache.root / "quarantine"):
        if len(name) != 2 * RAW_LENGTH or not set(name) <= set("0123456789abcdef"):
            continue
        digest = Digest(PREFIX + name)
        try:
            facts = cache.objects.aside(digest).stat()
        except FileNotFoundError:
            continue
        # a rename leaves the time of the bytes as it was
        since = datetime.fromtimestamp(int(facts.st_ctime), UTC)
        found.append(Aside(digest, facts.st_size, since, cache.has(digest)))
    return sorted(found, key=lambda one: (one.since, one.digest))
