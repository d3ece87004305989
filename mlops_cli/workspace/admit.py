"""What may be tracked: data that lies in the project, and belongs to nobody else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mlops_cli.errors import NotFound, StateRefused, UsageError
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import part
from mlops_cli.workspace.pointer import SUFFIX
from mlops_cli.workspace.tracked import Tracked

RESERVED = (".mlops", ".git")
AT_ONCE = 1000  # paths in one command line


def check(
    root: Path,
    paths: Sequence[str],
    *,
    git: Git,
    tracked: Sequence[Tracked],
    present: bool = True,
) -> None:
    """Raise what `track.add` would raise for `paths` before it reads anything.

    Without `present`, the paths are about to be made, and need not be there.
    Raises NotFound ("missing-path"), UsageError ("not-data"), StateRefused ("already-in-git",
    "inside-tracked", "holds-tracked", "made-by-step", "is-a-link", "undecided").
    """
    for path in paths:
        _refuse(root, path, tracked, present)
    named = set(paths)
    for path in paths:
        for folder in part.outer(path):
            if folder in named:
                raise _inside(path, folder)
    _refuse_in_git(git, paths)


def _refuse(root: Path, path: str, known: Sequence[Tracked], present: bool) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path == ".":
        raise UsageError(
            "the project itself cannot be added",
            code="not-data",
            hint="name the data in it: mlops add data/raw",
        )
    if any(part in RESERVED for part in parts) or path.endswith(SUFFIX):
        raise UsageError(
            f"{path} is not data: it belongs to {'git' if '.git' in parts else 'mlops'}",
            code="not-data",
            hint="name the data beside it",
            details={"path": path},
        )
    place = root / path
    if place.is_symlink() and part.around(known, path) is None:
        raise StateRefused(
            f"{path} is a link",
            code="is-a-link",
            hint="add what it leads to, or replace it by a copy",
            details={"path": path},
        )
    if present and not os.path.lexists(place):
        raise NotFound(
            f"{path} does not exist", code="missing-path", hint="ls", details={"path": path}
        )
    for one in known:
        if one.theirs is not None and (one.path == path or path.startswith(one.path + "/")):
            raise StateRefused(
                f"{one.path} has two sides since a merge, and to add it would lose one",
                code="undecided",
                hint=f"mlops merge --ours|--theirs|--both {one.path}",
                details={"path": path, "tracked": one.path},
            )
        if one.step is not None and (one.path == path or path.startswith(one.path + "/")):
            raise StateRefused(
                f"{path} is made by the step {one.step}, and tracked through it",
                code="made-by-step",
                hint="mlops run keeps it; add only what no step makes",
                details={"path": path, "step": one.step},
            )
        if path.startswith(one.path + "/") and (one.kind == "file" or not present):
            raise _inside(path, one.path)
        if one.path.startswith(path + "/"):
            raise StateRefused(
                f"{path} holds {one.path}, which is tracked already",
                code="holds-tracked",
                hint=f"git rm --cached {one.source} && rm {one.source}, then add {path}",
                details={"path": path, "tracked": one.path},
            )


def _refuse_in_git(git: Git, paths: Sequence[str]) -> None:
    in_git: list[str] = []
    for start in range(0, len(paths), AT_ONCE):
        some = paths[start : start + AT_ONCE]
        listed = git.run("ls-files", "-z", "--cached", "--", *some).split("\0")
        in_git += [name for name in listed if name]
    if in_git:
        shown = next(
            path for path in paths if in_git[0] == path or in_git[0].startswith(path + "/")
        )
        raise StateRefused(
            f"{in_git[0]} is kept in git already",
            code="already-in-git",
            hint=f"git rm -r --cached {shown}, then mlops add {shown}",
            details={"path": shown, "in_git": in_git[:20]},
        )


def _inside(path: str, around: str) -> StateRefused:
    return StateRefused(
        f"{path} lies in {around}, which is tracked as a whole",
        code="inside-tracked",
        hint=f"mlops add {around}",
        details={"path": path, "tracked": around},
    )
