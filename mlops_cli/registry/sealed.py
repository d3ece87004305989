"""Who signed a tag: the ssh signature that `git tag --sign` leaves below the words of a tag."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from mlops_cli.errors import IntegrityError, StateRefused
from mlops_cli.registry import signers
from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git

NAMESPACE = "git"  # git's own, so that `git verify-tag` says the same
_SIGNATURE = re.compile(rb"^-----BEGIN [A-Z ]+-----$", re.MULTILINE)
_LAST = 253402300799  # the last second of the year 9999; git knows later ones
_TAGGER = re.compile(rb"^tagger .*> (\d{1,12}) [+-]\d{4}$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A tag object taken apart: what was signed, by what, and when it says that it was made."""

    signed: bytes
    signature: str | None
    at: datetime


def sealed(git: Git, tag_id: str) -> Sealed:
    """Return the tag object `tag_id`. Raises IntegrityError ("damaged-tag")."""
    (held,) = objects.read(git, [tag_id])
    made = hashlib.sha1 if len(tag_id) == 40 else hashlib.sha256
    if held is None or made(b"tag %d\0" % len(held.data) + held.data).hexdigest() != tag_id:
        raise IntegrityError(
            f"the tag object {tag_id[:12]} is not what its name says",
            code="damaged-tag",
            hint="git fsck; git fetch it from a clone that is sound",
            details={"object": tag_id},
        )
    start = _SIGNATURE.search(held.data)
    body = held.data[: start.start()] if start else held.data
    when = _TAGGER.search(body.partition(b"\n\n")[0])
    at = datetime.fromtimestamp(min(int(when[1]), _LAST) if when else 0, UTC)
    return Sealed(body, held.data[start.start() :].decode("latin-1") if start else None, at)


def signer(git: Git, tag_id: str, allowed: bytes | str) -> str:
    """Return the allowed signer who signed the tag, dates as of when the tag says it was made.

    Raises StateRefused ("unsigned", and as `signers.check`), IntegrityError ("damaged-tag",
    "malformed-signature", "bad-signature").
    """
    found = sealed(git, tag_id)
    if found.signature is None:
        raise StateRefused(
            "the tag is not signed",
            code="unsigned",
            hint="mlops config set --user signing.key ~/.ssh/id_ed25519 before it is made",
            details={"object": tag_id},
        )
    return signers.check(found.signed, found.signature, NAMESPACE, allowed, at=found.at)
