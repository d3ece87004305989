"""The code as it stands: the commit, and what differs from it."""

from __future__ import annotations

from collections.abc import Callable

from mlops_cli.ledger.record import Code
from mlops_cli.vcs.repo import Git

MOST = 100


def code_now(git: Git, keep: Callable[[bytes], str] | None = None) -> Code:
    """Return the commit and branch of HEAD, and the paths that differ from it (new files too).

    At most a hundred of them: a record stays small, and one is enough to say that it is dirty.
    `keep` stores what differs, so that it can be had again, and returns its digest.
    """
    dirty = git.dirty()
    patch = None
    if keep is not None:
        from mlops_cli.vcs.difference import difference

        # what mlops writes there is told by the records themselves
        patch = difference(git, [path for path in dirty if not path.startswith(".mlops/")])
    head = git.head()
    kept = keep(patch) if keep and patch else None
    return Code(head.commit, tuple(dirty[:MOST]), kept, head.branch)
