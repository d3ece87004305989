"""The branch of a person, brought to the git remote though others push to it as well."""

from __future__ import annotations

import random
import time as clock
from collections.abc import Callable
from dataclasses import dataclass

from mlops_cli.errors import StateRefused
from mlops_cli.vcs import refs
from mlops_cli.vcs.commit import refuse_when_busy
from mlops_cli.vcs.ledger_refs import is_behind
from mlops_cli.vcs.repo import Git

TRIES = 30
_QUIETLY = ("-c", "maintenance.auto=false", "-c", "gc.auto=0")


@dataclass(frozen=True, slots=True)
class Landed:
    """The commit that the branch of `remote` stands at now; `moved` if others' came below ours."""

    remote: str
    branch: str
    commit: str
    moved: bool


def land(git: Git, remote: str, *, before: Callable[[str, str | None], object]) -> Landed:
    """Push the present branch; where others were quicker, put our commits on theirs and try again.

    `before` is called with the commit and with what the branch was there, and sends what the
    commit needs. Hooks do not run. What is uncommitted stays so. Raises StateRefused ("diverged",
    "no-branch", "git-busy"), OutsideWorld ("git-failed").
    """
    refuse_when_busy(git)
    branch = git.head().branch
    if branch is None:
        raise StateRefused("no branch is checked out", code="no-branch", hint="git switch BRANCH")
    target = git.run("config", "--get", f"branch.{branch}.merge", check=False)
    target = target or f"refs/heads/{branch}"
    seen = f"refs/remotes/{remote}/{target.removeprefix('refs/heads/')}"
    moved = False
    for attempt in range(TRIES):
        commit, there = str(git.head().commit), refs.tip(git, seen)
        if attempt == 0 or commit != there:
            before(commit, there)
        words = ("push", "--porcelain", "--no-verify", "--quiet", remote, f"{commit}:{target}")
        answer = git.call(*words)
        if answer.code == 0:
            git.run("update-ref", seen, commit)
            return Landed(remote, target.removeprefix("refs/heads/"), commit, moved)
        if not is_behind(answer):
            from mlops_cli.vcs.answer import failed

            raise failed(words, answer)
        clock.sleep(random.uniform(0, 0.02 * min(attempt, 10)))
        git.run(*_QUIETLY, "fetch", "--quiet", "--no-tags", remote, f"+{target}:{seen}")
        moved = _put_on(git, seen) or moved
    raise StateRefused(
        f"others kept moving {target} on {remote}", code="git-busy", hint="git pull && git push"
    )


def _put_on(git: Git, theirs: str) -> bool:
    """Put our commits on `theirs`; False where they are there already. Raises StateRefused."""
    before = git.head().commit
    # hooks of ours bring data, and of others run tests: both are for commits of people
    words = ("-c", "core.hooksPath=/dev/null", "rebase", "--quiet", "--autostash", theirs)
    answer = git.call(*words)
    if answer.code != 0:
        git.call("-c", "core.hooksPath=/dev/null", "rebase", "--abort")
        raise StateRefused(
            f"what was committed here and on {theirs.removeprefix('refs/remotes/')} differs",
            code="diverged",
            hint="git pull --rebase, mlops merge where it asks for it, git push",
            details={"stderr": answer.err[-2000:]},
        )
    return git.head().commit != before
