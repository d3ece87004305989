"""What a checkout shall bring: something tracked, or a part of it as if it were tracked itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlops_cli.errors import NotFound
from mlops_cli.store.patch import Shelf
from mlops_cli.store.tree import Mode
from mlops_cli.workspace import part
from mlops_cli.workspace.tracked import Tracked, select

NAMED_AT_MOST = 50


@dataclass(frozen=True, slots=True)
class Target:
    """What shall be in the workspace; `mode` says more of a file, None says nothing."""

    tracked: Tracked
    mode: Mode | None


def targets(tracked: Sequence[Tracked], paths: Sequence[str], shelf: Shelf) -> list[Target]:
    """Return what `paths` name: all that is tracked there, or just the part of a tracked folder.

    Everything when `paths` is empty; the listings on the way to a part come from `shelf`.
    Raises NotFound ("not-tracked", "missing-object").
    """
    found: dict[str, Target] = {}
    for path in paths or ["."]:
        folder = part.around(tracked, path)
        if folder is None:
            for one in select(tracked, [] if path == "." else [path]):
                found[one.path] = whole(one)
            continue
        try:
            entry = part.entry(shelf, folder, path)
        except NotFound as exc:
            raise not_here([path]) if exc.code == "missing-object" else exc from exc
        inner = replace(
            folder,
            path=path,
            digest=entry.digest,
            kind="tree" if entry.mode == "dir" else "file",
            size=entry.size,
            files=entry.files,
            executable=entry.mode == "exec",
        )
        found[path] = Target(inner, None if entry.mode == "dir" else entry.mode)
    return [found[path] for path in sorted(found) if not _covered(found, path)]


def whole(one: Tracked) -> Target:
    """Return something tracked as it stands; whether a step made an executable is not known."""
    if one.kind == "tree" or one.step is not None:
        return Target(one, None)
    return Target(one, "exec" if one.executable else "file")


def _covered(found: Mapping[str, Target], path: str) -> bool:
    outer = path
    while outer := outer.rpartition("/")[0]:
        if outer in found:
            return True
    return False


def not_here(paths: Sequence[str]) -> NotFound:
    """Return the error for paths that the cache does not have as a whole."""
    more = f" (and {len(paths) - 1} more)" if paths[1:] else ""
    return NotFound(
        f"{paths[0]} is not in the cache as a whole{more}",
        code="missing-object",
        hint="mlops pull" if paths[1:] else f"mlops pull {paths[0]}",
        details={"paths": list(paths[:NAMED_AT_MOST]), "count": len(paths)},
    )
