"""Ledger and registry to and from a git remote: what `git push` and `git clone` leave behind."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_cli.vcs import ledger_branch, ledger_refs, refs, tagsync
from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Moved:
    """What went or came: how many refs of the ledger moved, how many tags are new."""

    refs: int
    tags: int


def remote_of(git: Git, branch: str | None = None) -> str | None:
    """Return the git remote that `branch`, the present one, follows, else origin, else the only
    one."""
    told = git.run("config", "--get-regexp", r"^(branch\..*\.remote|remote\..*\..*)$", check=False)
    said = dict(row.partition(" ")[::2] for row in told.splitlines())
    followed = said.get(f"branch.{branch or git.head().branch}.remote", ".")
    if followed != ".":
        return followed
    known = {key.split(".", 1)[1].rpartition(".")[0] for key in said if key.startswith("remote.")}
    if "origin" in known:
        return "origin"
    return known.pop() if len(known) == 1 else None


def send(git: Git, remote: str, branch: str | None = None) -> Moved:
    """Push records and tags; starts no CI, moves no branch of a person, and never overwrites.

    `branch` is where the ledger goes on a forge that refuses other refs. Raises OutsideWorld
    ("refs-refused", "git-failed"), IntegrityError ("tag-taken").
    """
    return Moved(send_ledger(git, remote, branch), tagsync.push(git, remote))


def send_ledger(git: Git, remote: str, branch: str | None = None) -> int:
    """Push the records that wait and return how many writers' that were.

    Raises OutsideWorld ("refs-refused", "git-failed").
    """
    if branch is None:
        return ledger_refs.push(git, remote)
    return ledger_branch.push(git, remote, branch)


def receive(git: Git, remote: str, branch: str | None = None) -> Moved:
    """Fetch the records of all writers and the tags; nothing unsent is lost.

    Raises IntegrityError ("tag-taken"), OutsideWorld ("git-failed").
    """
    before = len(refs.tips(git, "refs/tags/mlops/"))
    moved = fetch_ledger(git, remote, branch)
    tagsync.fetch(git, remote)
    return Moved(len(moved), len(refs.tips(git, "refs/tags/mlops/")) - before)


def fetch_ledger(git: Git, remote: str, branch: str | None = None) -> dict[str, str]:
    """Fetch the records of all writers; return ref → commit of those that moved."""
    if branch is None:
        return ledger_refs.fetch(git, remote)
    return ledger_branch.fetch(git, remote, branch)


def waiting(git: Git, remote: str, branch: str | None = None) -> int:
    """Return how many ledgers `remote` is not known to have as they are here; asks no network."""
    if branch is None:
        return len(ledger_refs.waiting(git, remote))
    return len(ledger_branch.waiting(git, remote))


def tell_git(git: Git, remote: str, branch: str | None = None) -> bool:
    """Let a plain `git fetch` bring the ledger too; return whether git was not told before."""
    spec = ledger_refs.refspec(remote) if branch is None else ledger_branch.refspec(remote, branch)
    name = f"remote.{remote}.fetch"
    known = git.run("config", "--get-all", name, check=False).splitlines()
    ours = [one for one in known if one.partition(":")[2].startswith(refs.REMOTES)]
    if ours == [spec] or git.run("config", "--get", f"remote.{remote}.url", check=False) == "":
        return False
    for one in ours:
        git.run("config", "--local", "--fixed-value", "--unset-all", name, one)
    git.run("config", "--local", "--add", name, spec)
    return True


def told(git: Git, remote: str) -> bool:
    """Return whether a plain `git fetch` of `remote` brings the ledger."""
    known = git.run("config", "--get-all", f"remote.{remote}.fetch", check=False).splitlines()
    return any(one.partition(":")[2].startswith(refs.REMOTES) for one in known)


def untell_git(git: Git) -> bool:
    """Take the line of `tell_git` out for every remote; return whether there was one."""
    told = False
    for remote in git.run("remote").splitlines():
        name = f"remote.{remote}.fetch"
        for one in git.run("config", "--get-all", name, check=False).splitlines():
            if one.partition(":")[2].startswith(refs.REMOTES):
                git.run("config", "--local", "--fixed-value", "--unset-all", name, one)
                told = True
    return told
