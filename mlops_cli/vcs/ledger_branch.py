"""The ledger on one branch, for forges that refuse other refs: a folder for each ref, nothing else.

Only the remote has the branch; here records go to refs as everywhere. A push puts the trees of the
refs that wait into the branch as it stands there now, and tries again if somebody was quicker.
"""

from __future__ import annotations

import time as clock
from collections.abc import Mapping

from mlops_cli.errors import StateRefused
from mlops_cli.vcs import refs
from mlops_cli.vcs.ledger_refs import drop_folded, folded, holds_all, is_behind, refused
from mlops_cli.vcs.repo import Git

TRIES = 60
_QUIETLY = ("-c", "maintenance.auto=false", "-c", "gc.auto=0", "fetch", "--no-tags", "--quiet")


def refspec(remote: str, branch: str) -> str:
    """Return what lets a plain `git fetch` bring the branch."""
    # the star: a branch that is not there yet is no error
    return f"+refs/heads/{branch}*:{aside(remote)}*"


def aside(remote: str) -> str:
    """Return where the branch stands as it was last seen on `remote`."""
    return f"{refs.REMOTES}{remote}/{refs.BRANCH}"


def fetch(git: Git, remote: str, branch: str) -> dict[str, str]:
    """Fetch the branch and return what moved: it alone, as far as it did."""
    before = refs.tip(git, aside(remote))
    git.run(*_QUIETLY, "--no-write-fetch-head", remote, refspec(remote, branch))
    drop_folded(git)
    now = refs.tip(git, aside(remote))
    return {aside(remote): now} if now is not None and now != before else {}


def waiting(git: Git, remote: str) -> dict[str, str]:
    """Return folder → tree of what the branch is not known to hold."""
    there, done = folders(git, refs.tip(git, aside(remote))), folded(git)
    due: dict[str, str] = {}
    for ref, (_, tree) in refs.heads(git).items():
        name = ref.removeprefix(refs.LEDGER)
        if not ref.startswith(refs.LEDGER) or tree == there.get(name) or (ref, tree) in done:
            continue
        former = there.get(name)
        if former is None or holds_all(git, tree, former):
            due[name] = tree
        elif name != refs.SEGMENTS and not holds_all(git, former, tree):
            fresh = f"{name[:70]}-{tree[:6]}"  # another clone writes under this name
            if there.get(fresh) != tree:
                due[fresh] = tree
    return due


def push(git: Git, remote: str, branch: str) -> int:
    """Send what waits and return how many folders that were.

    Raises OutsideWorld ("refs-refused", "git-failed"), StateRefused ("git-busy").
    """
    for attempt in range(TRIES):
        due = waiting(git, remote)
        if not due:
            return 0
        former = refs.tip(git, aside(remote))
        tree = root(git, folders(git, former) | due)
        parent = ("-p", former) if former else ()
        made = git.run("commit-tree", tree, *parent, "-m", "ledger: more of it [skip ci]")
        if replace(git, remote, branch, former, made):
            return len(due)
        fetch(git, remote, branch)
        pause(attempt)
    raise StateRefused(
        f"other clones kept moving {branch} on {remote}", code="git-busy", hint="mlops push again"
    )


def replace(
    git: Git, remote: str, branch: str, old: str | None, new: str, *, seen: str | None = None
) -> bool:
    """Let the branch there be `new` if it is `old` now; False where it is not.

    `seen` is the ref that remembers it; that of the ledger. Raises OutsideWorld ("refs-refused",
    "git-failed").
    """
    ref = f"refs/heads/{branch}"
    lease = f"--force-with-lease={ref}:{old or ''}"
    answer = git.call(
        "push", "--porcelain", "--no-verify", "--quiet", lease, remote, f"{new}:{ref}"
    )
    if answer.code != 0:
        if is_behind(answer):
            return False
        raise refused(
            remote,
            answer,
            f"the branch {branch}",
            "let those who run push it, or name another: mlops config set ledger.branch NAME",
        )
    git.run("update-ref", seen or aside(remote), new)
    return True


def pause(attempt: int) -> None:
    """Wait a moment, not the same one as others who were turned away."""
    import random

    clock.sleep(random.uniform(0, 0.02 * min(attempt, 10)))


def folders(git: Git, commit: str | None) -> dict[str, str]:
    """Return folder → tree of the branch."""
    if commit is None:
        return {}
    rows = git.run("ls-tree", "-z", commit).split("\0")
    words = (row.partition("\t") for row in rows if row)
    return {name: meta.split(" ")[2] for meta, _, name in words if meta.split(" ")[1] == "tree"}


def root(git: Git, trees: Mapping[str, str]) -> str:
    """Return the tree with these folders."""
    listing = "".join(f"040000 tree {tree}\t{name}\0" for name, tree in sorted(trees.items()))
    return git.run("mktree", "-z", input=listing)
