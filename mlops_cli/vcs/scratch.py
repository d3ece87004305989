"""A work tree of its own for one revision, under .mlops/scratch, gone when its user is done.

git knows it as a work tree of this clone, so objects, refs and settings are shared, and what it
refers to is kept by gc. A lock file beside it is held while it is used: the kernel frees it when
its holder dies, and the next who makes a scratch removes what dead processes left, and ends what
they left running.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.vcs.answer import failed
from mlops_cli.vcs.repo import Git

FOLDER = ".mlops/scratch"


@contextlib.contextmanager
def scratch(git: Git, revision: str = "HEAD") -> Iterator[Git]:
    """Check `revision` out, detached, beside the work tree of `git`; remove it at the end.

    No hook runs, and nothing of the person's work tree, index or branch is touched. The settings
    in .mlops/config.local.yaml come along. Raises NotFound ("unknown-revision"), OutsideWorld.
    """
    commit = git.rev_parse(revision)
    folder = git.root / FOLDER
    fsio.make_folder(folder)
    if not (folder / ".gitignore").exists():
        fsio.write_atomic(folder / ".gitignore", "*\n", durable=False)
    sweep(git)
    root = folder / f"mlops-{secrets.token_hex(6)}"
    with _held(root):
        try:
            _check_out(git, root, commit)
            yield Git(root)
        finally:
            _remove(git, root)


def abandoned(git: Git) -> list[Path]:
    """Return the scratch trees whose users are dead."""
    found = []
    for path in sorted((git.root / FOLDER).glob("*.lock")):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), _locked(path):
            found.append(path.with_suffix(""))
    return found


def sweep(git: Git) -> int:
    """Remove the scratch trees whose users are dead; return how many there were."""
    count = 0
    for root in abandoned(git):
        lock = root.with_suffix(".lock")
        with contextlib.suppress(FileNotFoundError, BlockingIOError), _locked(lock):
            _end_within(root)
            _remove(git, root)
            lock.unlink(missing_ok=True)
            count += 1
    return count


def _end_within(root: Path) -> None:
    """Kill what the dead user started and left running in its tree; found where there is /proc."""
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if place.readlink().is_relative_to(root):
                os.kill(int(place.parent.name), signal.SIGKILL)


def _check_out(git: Git, root: Path, commit: str) -> None:
    # hooks of the person, and ours that bring data, are for their own work tree
    words = ("-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach")
    answer = git.call(*words, "--", str(root), commit)
    if answer.code != 0:
        raise failed(("worktree", "add"), answer)
    local = git.root / ".mlops/config.local.yaml"
    if local.is_file():
        (root / ".mlops").mkdir(exist_ok=True)
        shutil.copyfile(local, root / ".mlops/config.local.yaml")


def _remove(git: Git, root: Path) -> None:
    for folder, _, _ in os.walk(root):
        with contextlib.suppress(OSError):
            Path(folder).chmod(0o700)  # a step may have made one that cannot be entered
    shutil.rmtree(root, ignore_errors=True)
    shutil.rmtree(git.common_dir / "worktrees" / root.name, ignore_errors=True)


@contextlib.contextmanager
def _held(root: Path) -> Iterator[None]:
    path = root.with_suffix(".lock")
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if path.exists():  # a sweep may have come between the two lines above
                break
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file that is there. Raises BlockingIOError where somebody else does."""
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
