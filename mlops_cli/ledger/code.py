"""The code as it stands: the commit, and what differs from it."""

from __future__ import annotations

from mlops_cli.ledger.record import Code
from mlops_cli.vcs.repo import Git


def code_now(git: Git) -> Code:
    """Return the commit that HEAD names and the paths that differ from it (new files too)."""
    return Code(git.head().commit, tuple(git.dirty()))
