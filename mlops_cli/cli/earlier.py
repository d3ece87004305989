"""What older commits tracked, for push and pull to carry along when asked."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import tracked
from mlops_cli.workspace.tracked import Tracked


def versions(git: Git, words: Sequence[str], now: Sequence[Tracked]) -> list[Tracked]:
    """Return what any commit of any branch or tag names, of `words` where there are any, and
    `now` does not."""
    known = {one.digest for one in now}
    return [
        one
        for one in tracked.ever_tracked(git)
        if one.digest not in known
        and (not words or any(tracked.related(one.path, word) for word in words))
    ]
