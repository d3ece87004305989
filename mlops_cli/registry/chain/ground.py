"""What a walk along the chain stands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mlops_cli.registry.chain.link import Link
from mlops_cli.registry.keyless.identities import Keyless
from mlops_cli.store.cache import Cache
from mlops_cli.store.closure import Root, closure
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import HEADER
from mlops_cli.vcs.repo import Git

Level = Literal["refs", "bundle", "bytes"]
Policies = Callable[[Mapping[str, Any]], str | None]
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Ground:
    """`allowed` are the signers that the protected branch lists, None where it lists none, and
    `keyless` the identities;
    `policies` says of the payload of an event what is wrong with the policy it names.

    refs: names agree, in git alone; bundle: and the files of the bundle are hashed; bytes: all
    data is.
    """

    git: Git
    cache: Cache
    level: Level
    allowed: bytes | None
    policies: Policies | None = None
    keyless: Keyless | None = None
    hashed: set[Digest] = field(default_factory=set)  # by `read`: once is enough

    def bytes_of(self, link: Link, *, hashed: bool) -> Link:
        """Return `link` as its bytes in the cache are: hashed, or only looked for."""
        digest = Digest(str(link.digest))
        if not self.cache.has(digest):
            if self.cache.objects.aside(digest).is_file():
                why = f"the bytes that stood for {digest} were damaged and set aside"
                return link.found("mismatch", "damaged-object", why)
            if hashed:
                why = f"{digest} is not here: mlops pull"
                return link.found("missing", "missing-object", why)
            return link.absent("its bytes are not in this cache")
        return link

    def read(self, link: Link) -> str | None:
        """Hash the bytes of `link`, of a folder all that is in it. Raises IntegrityError,
        NotFound."""
        for digest in self._below(Digest(str(link.digest)), link.label):
            if digest not in self.hashed:
                with self.cache.open(digest) as stream:
                    while stream.read(_CHUNK):
                        pass
                self.hashed.add(digest)
        return None

    def _below(self, digest: Digest, label: str) -> list[Digest]:
        with self.cache.stream(digest) as stream:  # a glance; every byte is hashed afterwards
            if stream.read(len(HEADER)) != HEADER:
                return [digest]
        reached = closure(self.cache, [Root(label, digest, "tree")])
        absent = [part.digest for part in (*reached.absent, *reached.damaged)]
        return [*reached.objects, *absent]
