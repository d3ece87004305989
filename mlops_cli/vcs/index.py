"""The index of git, for verbs that people know as `git mv` and `git rm`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlops_cli.vcs.repo import Git


def known(git: Git, paths: Sequence[str]) -> set[str]:
    """Return those of `paths` (files) that are in the index."""
    if not paths:
        return set()
    listing = git.run("ls-files", "-z", "--cached", "--", *paths).split("\0")
    return set(paths) & set(listing)


def unedited(git: Git, paths: Sequence[str]) -> set[str]:
    """Return those of `paths` that nobody has edited since they were staged, or that are new:
    what is done to them next can be staged without staging somebody's own lines."""
    staged = known(git, paths)
    if not staged:
        edited = set[str]()
    else:
        edited = set(git.run("diff", "--name-only", "-z", "--", *staged).split("\0"))
    return {
        path
        for path in paths
        if (path in staged and path not in edited)
        or (path not in staged and not (git.root / path).exists())
    }


def stage(git: Git, paths: Iterable[str]) -> None:
    """Bring the index to the work tree at `paths`: what is there comes, what is gone goes."""
    names = sorted(set(paths))
    if names:
        git.run("update-index", "-z", "--add", "--remove", "--stdin", input="\0".join(names) + "\0")
