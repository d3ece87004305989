"""What the records of the ledger name: every digest in them, also in those not yet committed."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.errors import OutsideWorld
from mlops_cli.ledger.append import SPOOL
from mlops_cli.store.collect import Named, names_in
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

_REFS = "refs/mlops/"  # the ledger's own, and those that were fetched beside it


def roots(root: Path, git: Git) -> Named:
    """Return every digest that a record names; whether it is one of an object is not asked.

    Raises OutsideWorld ("git-failed") where git has lost a record.
    """
    blobs: dict[str, str] = {}
    for tip in set(refs.tips(git, _REFS).values()):
        blobs |= {blob: blob for blob in refs.log_new(git, tip, None).values()}
    found: set[bytes] = set()
    for blob, data in refs.read_blobs(git, blobs):
        if data is None:
            raise OutsideWorld(
                f"git has lost the record {blob}, so what it names cannot be told",
                code="git-failed",
                hint="git fsck; git fetch the ledger from a clone that is sound",
            )
        found |= names_in(data).digests
    for path in (root / SPOOL).glob("*"):
        found |= names_in(path.read_bytes()).digests
    return Named(frozenset(found))
