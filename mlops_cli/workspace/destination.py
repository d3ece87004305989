"""Where data may be moved: to a place of its own that nothing has yet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import StateRefused, UsageError
from mlops_cli.store.patch import Shelf, find
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import part
from mlops_cli.workspace.admit import RESERVED
from mlops_cli.workspace.pointer import SUFFIX
from mlops_cli.workspace.tracked import Tracked


def refuse(
    root: Path,
    old: str,
    new: str,
    target: Tracked | None,
    *,
    git: Git,
    tracked: Sequence[Tracked],
    shelf: Shelf,
) -> None:
    """Raise where `old` cannot become `new`, which lies in the tracked folder `target` if any.

    Raises UsageError ("not-data"), StateRefused ("inside-itself", "in-the-way"), ConfigError
    ("path-outside-project").
    """
    parts = new.split("/")
    if new == old or new.startswith(old + "/"):
        raise StateRefused(
            f"{old} cannot be moved into itself",
            code="inside-itself",
            hint="name another place",
            details={"path": old, "to": new},
        )
    if any(name in RESERVED for name in parts) or new.endswith(SUFFIX) or new == ".":
        raise UsageError(
            f"{new} is no place for data", code="not-data", hint="name a place beside it"
        )
    fsio.inside(root, new.rpartition("/")[0] or ".")
    if cut_short(root, old, new, tracked):
        return
    there = (
        os.path.lexists(root / new)
        or os.path.lexists(root / (new + SUFFIX))
        or any(one.path == new or one.path.startswith(new + "/") for one in tracked)
        or bool(git.run("ls-files", "-z", "--cached", "--", new))
        or (target and find(shelf, target.digest, part.inner(target, new)))
    )
    if there:
        raise in_the_way(new)


def cut_short(root: Path, old: str, new: str, tracked: Sequence[Tracked]) -> bool:
    """Tell whether `old` was on its way to `new`: both are tracked, one of them is there."""
    by_path = {one.path: one for one in tracked}
    one, two = by_path.get(old), by_path.get(new)
    return (
        one is not None
        and two is not None
        and (one.digest, one.kind, one.step, two.step) == (two.digest, two.kind, None, None)
        and not (os.path.lexists(root / old) and os.path.lexists(root / new))
    )


def is_folder(root: Path, to: str, tracked: Sequence[Tracked], shelf: Shelf) -> bool:
    """Tell whether `to` is a folder, in the workspace or in something tracked."""
    if (root / to).is_dir() or any(one.path == to and one.kind == "tree" for one in tracked):
        return True
    folder = part.around(tracked, to)
    found = find(shelf, folder.digest, part.inner(folder, to)) if folder else None
    return found is not None and found.mode == "dir"


def in_the_way(path: str) -> StateRefused:
    """Return the error for a place that is taken."""
    return StateRefused(
        f"{path} is there already",
        code="in-the-way",
        hint="move or remove it first, or name another place",
        details={"path": path},
    )
