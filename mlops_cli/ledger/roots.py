"""What the records of the ledger name: every digest in them, also in those not yet committed."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from mlops_cli.errors import OutsideWorld
from mlops_cli.ledger.append import SPOOL
from mlops_cli.store.space.collect import Named, names_in
from mlops_cli.vcs import refs
from mlops_cli.vcs.repo import Git

_REFS = "refs/mlops/"  # the ledger's own, and those that were fetched beside it …
_NONE = "/experiments/"  # … but not these: they are commits as others, whose locks git names
_OF_TICKS = re.compile(r"refs/mlops/(remotes/.+?/)?(claims|heads)/")  # … and these name no objects


def roots(root: Path, git: Git, memory: dict[str, frozenset[bytes]] | None = None) -> Named:
    """Return every digest that a record names; whether it is one of an object is not asked.

    `memory` has what was read before, by the tip of a ref.
    Raises OutsideWorld ("git-failed") where git has lost a record.
    """
    memory = {} if memory is None else memory
    found: set[bytes] = set()
    for path in (root / SPOOL).glob("*"):  # first: what leaves the spool meanwhile is on a ref
        with contextlib.suppress(FileNotFoundError):
            found |= names_in(path.read_bytes()).digests
    for tip in {tip for ref, tip in refs.tips(git, _REFS).items() if _records(ref)}:
        if tip not in memory:
            memory[tip] = _named_at(git, tip)
        found |= memory[tip]
    return Named(frozenset(found))


def _records(ref: str) -> bool:
    return _NONE not in ref and not _OF_TICKS.match(ref)


def _named_at(git: Git, tip: str) -> frozenset[bytes]:
    found: set[bytes] = set()
    for path, data in refs.read_blobs(git, refs.log_new(git, tip, None)):
        if data is None:
            raise OutsideWorld(
                f"git has lost the record {path}, so what it names cannot be told",
                code="git-failed",
                hint="git fsck; git fetch the ledger from a clone that is sound",
            )
        found |= names_in(data).digests
    return frozenset(found)
