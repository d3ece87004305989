"""The code as it stands: the commit, and what differs from it."""

from __future__ import annotations

from mlops_cli.ledger.record import Code
from mlops_cli.vcs.repo import Git

MOST = 100


def code_now(git: Git) -> Code:
    """Return the commit that HEAD names and the paths that differ from it (new files too).

    At most a hundred of them: a record stays small, and one is enough to say that it is dirty.
    """
    return Code(git.head().commit, tuple(git.dirty()[:MOST]))
