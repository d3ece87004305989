"""Ledger and registry to and from a git remote: what `git push` and `git clone` leave behind."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_cli.vcs import refs, tags
from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Received:
    """What a fetch brought: how many refs of the ledger moved, how many tags are new."""

    refs: int
    tags: int


def remote_of(git: Git) -> str | None:
    """Return the git remote that the present branch follows, else origin, else the only one."""
    branch = git.head().branch
    if branch is not None:
        followed = git.run("config", "--get", f"branch.{branch}.remote", check=False)
        if followed and followed != ".":
            return followed
    known = git.run("remote").split()
    if "origin" in known:
        return "origin"
    return known[0] if len(known) == 1 else None


def send(git: Git, remote: str) -> None:
    """Push records and tags; starts no CI, moves no branch, and never overwrites.

    Raises StateRefused ("ref-diverged"), IntegrityError ("tag-taken"), OutsideWorld ("git-failed").
    """
    refs.push(git, remote)
    tags.push(git, remote)


def receive(git: Git, remote: str) -> Received:
    """Fetch the records of all writers and the tags; nothing unsent is lost.

    Raises IntegrityError ("tag-taken"), OutsideWorld ("git-failed").
    """
    before = len(refs.tips(git, "refs/tags/mlops/"))
    moved = refs.fetch(git, remote)
    tags.fetch(git, remote)
    return Received(len(moved), len(refs.tips(git, "refs/tags/mlops/")) - before)
