"""What differs from HEAD, as one patch that `git apply` takes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from mlops_cli.vcs.repo import Git

MOST = 1 << 20  # bytes of the files together; who edits more has data there


def difference(git: Git, paths: Sequence[str]) -> bytes | None:
    """Return what differs at `paths`, new files among it; None where that is nothing, too much, or
    git cannot say. Neither index nor branch is touched.
    """
    if not paths or git.head().commit is None or _size(git.root, paths) > MOST:
        return None
    # the name tells `commit` whom to sweep it up after
    index = git.git_dir / f"mlops-index-{os.getpid()}-{time.monotonic_ns():x}"
    env = {"GIT_INDEX_FILE": str(index)}
    try:
        if (git.git_dir / "index").exists():
            # with its time: git looks again at what changed in the moment the index was written
            shutil.copy2(git.git_dir / "index", index)
        names = "\0".join(paths)
        words = ("--pathspec-from-file=-", "--pathspec-file-nul")
        if git.call("add", "--all", *words, input=names, env=env).code != 0:
            return None
        plain = ("--binary", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames")
        # relative to HEAD and not to the index: what is staged is as uncommitted as the rest
        told = git.call("diff", "--cached", *plain, "HEAD", "--", *paths, env=env)
        return told.out or None if told.code == 0 else None
    finally:
        index.unlink(missing_ok=True)
        index.with_name(index.name + ".lock").unlink(missing_ok=True)


def _size(root: Path, paths: Iterable[str]) -> int:
    total = 0
    for path in paths:
        for folder, _, files in (
            os.walk(root / path) if path.endswith("/") else [(root, (), [path])]
        ):
            for name in files:
                file = Path(folder, name)
                total += file.lstat().st_size if os.path.lexists(file) else 0
                if total > MOST:
                    return total
    return total
