"""Commits that no branch knows: the work tree as it stands, and variants of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping

from mlops_cli.errors import StateRefused
from mlops_cli.vcs.answer import failed
from mlops_cli.vcs.commit import compose, refuse_when_busy
from mlops_cli.vcs.repo import Git, no_identity

REFS = "refs/mlops/experiments/"


def snapshot(git: Git) -> str:
    """Return a commit of all that git knows as it stands in the work tree; HEAD if that is it.

    Files that were never added are left out. Neither index nor branch is touched.
    Raises StateRefused ("no-commit", "git-busy", "no-identity").
    """
    refuse_when_busy(git)
    head = git.head().commit
    if head is None:
        raise StateRefused(
            "there is no commit yet that an experiment could begin with",
            code="no-commit",
            hint="git add . && git commit",
        )
    with _private(git) as env:
        index = git.git_dir / "index"
        if index.exists():
            shutil.copy2(index, env["GIT_INDEX_FILE"])  # with its time, as vcs.difference does
        git.run("add", "--update", "--", ".", env=env)
        tree = git.run("write-tree", env=env)
    if tree == git.run("rev-parse", f"{head}^{{tree}}"):
        return head
    return _commit(git, tree, head, compose("experiment: the work tree as it stood", "", {}))


def variant(
    git: Git, base: str, files: Mapping[str, bytes], *, subject: str, trailers: Mapping[str, str]
) -> str:
    """Return a commit on `base` in which `files` (path → bytes) are others."""
    with _private(git) as env:
        git.run("read-tree", base, env=env)
        for path, data in files.items():
            blob = git.run("hash-object", "-w", "--stdin", input=data)
            git.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", env=env)
        tree = git.run("write-tree", env=env)
    return _commit(git, tree, base, compose(subject, "", trailers))


def keep(git: Git, name: str, commit: str) -> None:
    """Have git keep `commit`, under the ref of the experiment `name`."""
    git.run("update-ref", REFS + name, commit)


def kept(git: Git, name: str) -> str | None:
    """Return the commit of the experiment `name`, None where it is not here."""
    return git.run("rev-parse", "--verify", "--quiet", REFS + name, check=False) or None


def _commit(git: Git, tree: str, parent: str, message: str) -> str:
    words = ("-c", "user.useConfigOnly=true", "-c", "i18n.commitEncoding=UTF-8", "commit-tree")
    answer = git.call(*words, tree, "-p", parent, "-F", "-", input=message)
    if answer.code != 0:
        if "tell me who you are" in answer.err or "ident" in answer.err:
            raise no_identity()
        raise failed(("commit-tree",), answer)
    return answer.out.decode().strip()


@contextlib.contextmanager
def _private(git: Git) -> Iterator[dict[str, str]]:
    """Offer an index of our own; its name tells `commit` whom to sweep it up after."""
    index = git.git_dir / f"mlops-index-{os.getpid()}-{time.monotonic_ns():x}"
    try:
        yield {"GIT_INDEX_FILE": str(index)}
    finally:
        index.unlink(missing_ok=True)
        index.with_name(index.name + ".lock").unlink(missing_ok=True)
