"""One commit of exactly the named paths, whatever else is staged or half done.

Made by plumbing on a private index, so hooks of the person (pre-commit, commit-msg) do not run
and entries staged for other paths survive untouched. Order: tree → commit object → the real
index learns the paths → the branch moves by compare-and-swap. A crash between the last two
leaves the paths staged, never a staged undo of what was committed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from mlops_cli.errors import StateRefused
from mlops_cli.vcs.answer import Answer, failed
from mlops_cli.vcs.repo import Git, Head, no_identity

TRIES = 50
_BUSY = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}


def commit_paths(
    git: Git,
    paths: Sequence[str],
    *,
    subject: str,
    body: str = "",
    trailers: Mapping[str, str] | None = None,
) -> str:
    """Commit the work-tree state of `paths` (added, changed, deleted) on HEAD; return the commit.

    Returns the present HEAD when nothing differs. A folder stands for the files in it that git
    does not ignore; a file named itself is committed even when ignored. For these paths the index
    afterwards equals the commit; all other entries stay as they were.
    Raises StateRefused ("git-busy" during a merge or rebase, "no-identity", "no-commit").
    """
    refuse_when_busy(git)
    message = compose(subject, body, trailers or {})
    _sweep(git)
    private = git.git_dir / f"mlops-index-{os.getpid()}-{time.monotonic_ns():x}"
    env = {"GIT_INDEX_FILE": str(private)}
    try:
        for _ in range(TRIES):
            head = git.head()
            git.run("read-tree", head.commit or "--empty", env=env)
            files = _files(git, paths, env)
            _stage(git, files, env)
            tree = git.run("write-tree", env=env)
            if head.commit and tree == git.run("rev-parse", f"{head.commit}^{{tree}}"):
                _stage_for_good(git, files)  # heals what a crash left behind
                return head.commit
            commit = _commit_object(git, tree, head, message)
            _stage_for_good(git, files)
            if _move_head(git, head, commit, subject):
                return commit
    finally:
        private.unlink(missing_ok=True)
        private.with_name(private.name + ".lock").unlink(missing_ok=True)
    raise StateRefused(
        "other commits kept moving HEAD", code="git-busy", hint="run the same command again"
    )


def compose(subject: str, body: str, trailers: Mapping[str, str]) -> str:
    """Return a commit message: subject, body, and trailers that `git interpret-trailers` reads."""
    parts = [" ".join(subject.split())]
    if body.strip():
        parts.append(body.strip())
    if trailers:
        parts.append("\n".join(f"{key}: {' '.join(trailers[key].split())}" for key in trailers))
    return "\n\n".join(parts) + "\n"


def refuse_when_busy(git: Git) -> None:
    """Raise StateRefused ("git-busy") while a merge, rebase, cherry-pick or revert is going on."""
    git_dir = git.git_dir
    for name, what in _BUSY.items():
        if (git_dir / name).exists():
            raise StateRefused(
                f"{what} is in progress, so nothing was committed",
                code="git-busy",
                hint="finish it (git status tells how) and run the same command again",
            )


def _sweep(git: Git) -> None:
    # what processes that were killed left behind
    for index in git.git_dir.glob("mlops-index-*"):
        try:
            os.kill(int(index.name.split("-")[2]), 0)
        except ProcessLookupError:
            index.unlink(missing_ok=True)
        except (OSError, ValueError, IndexError):
            continue


def _files(git: Git, paths: Sequence[str], env: Mapping[str, str]) -> list[str]:
    # Only a folder, or a path that is gone and may have been one, has to be looked up in git.
    files: list[str] = []
    folders: list[str] = []
    for path in paths:
        full = git.root / path
        is_file = full.is_symlink() or full.is_file()
        (files if is_file else folders).append(path)
    if folders:
        listed = git.run(
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            *folders,
            env=env,
        )
        files += [name for name in listed.split("\0") if name]
    return sorted(set(files))


def _stage(git: Git, files: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    if files:
        git.run(*_STAGE, input="".join(f"{name}\0" for name in files), env=env)


_STAGE = ("update-index", "--add", "--remove", "--replace", "-z", "--stdin")


def _stage_for_good(git: Git, files: Sequence[str]) -> None:
    answer = Answer(0, b"", "")
    for attempt in range(20):
        if not files:
            return
        answer = git.call(*_STAGE, input="".join(f"{name}\0" for name in files))
        if answer.code == 0:
            return
        if "index.lock" not in answer.err:
            raise failed(_STAGE, answer)
        time.sleep(0.01 + 0.004 * attempt)  # another git command holds the index for a moment
    raise StateRefused(
        "another git command holds the index, so nothing was committed",
        code="git-busy",
        hint=f"end it, or remove {git.git_dir / 'index.lock'} if none runs, and try again",
    )


def _commit_object(git: Git, tree: str, head: Head, message: str) -> str:
    # commit-tree, being plumbing, does not look at commit.gpgsign itself
    sign = git.run("config", "--type=bool", "--get", "commit.gpgsign", check=False) == "true"
    args = ("-c", "user.useConfigOnly=true", "-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree)
    parent = ("-p", head.commit) if head.commit else ()
    answer = git.call(*args, *parent, *(("-S",) if sign else ()), "-F", "-", input=message)
    if answer.code != 0:
        if "tell me who you are" in answer.err or "ident" in answer.err:
            raise no_identity()
        raise failed(("commit-tree",), answer)
    return answer.out.decode().strip()


def _move_head(git: Git, head: Head, commit: str, subject: str) -> bool:
    """Point HEAD's branch at `commit` if it still is where it was; False when it moved."""
    answer = git.call(
        "update-ref", "-m", f"commit (mlops): {subject}", "HEAD", commit, head.commit or ""
    )
    if answer.code == 0:
        return True
    if git.head() != head or "cannot lock ref" in answer.err:
        time.sleep(0.002)
        return False
    raise failed(("update-ref",), answer)
