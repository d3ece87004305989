"""What lies in tracked data, read from the listings in the cache, not from the workspace."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_cli.errors import NotFound
from mlops_cli.store.digest import Digest
from mlops_cli.store.patch import Shelf
from mlops_cli.store.tree import Mode, parse_tree
from mlops_cli.workspace.tracked import Tracked


@dataclass(frozen=True, slots=True)
class Listed:
    """One line: `source` and `step` belong to the tracked path it is or lies in."""

    path: str
    mode: Mode
    digest: Digest
    size: int
    files: int
    source: str
    step: str | None


def listing(
    tracked: Sequence[Tracked], path: str, *, shelf: Shelf, recursive: bool = False
) -> list[Listed]:
    """Return the tracked paths at or below `path`, or what is in the tracked folder `path`.

    Raises NotFound ("not-tracked"; "missing-object" where a listing cannot be had).
    """
    if path in ("", "."):
        tops = list(tracked)
    else:
        around = [one for one in tracked if path == one.path or path.startswith(one.path + "/")]
        if around:
            return _within(around[0], path, shelf, recursive=recursive)
        tops = [one for one in tracked if one.path.startswith(path + "/")]
        if not tops:
            raise NotFound(
                f"{path} is not tracked",
                code="not-tracked",
                hint="mlops ls",
                details={"path": path},
            )
    found = [_top(one) for one in tops]
    return _deep(found, shelf) if recursive else found


def matching(shelf: Shelf, one: Tracked, pattern: Sequence[str]) -> list[str]:
    """Return the paths in the tracked folder that match `pattern`, one part for each level; `**`
    stands for any number of levels."""
    found: list[str] = []
    seen: set[str] = set()
    waiting = [(one.path, one.digest, tuple(pattern))]
    while waiting:
        base, digest, (first, *rest) = waiting.pop()
        if first == "**" and rest:
            waiting.append((base, digest, tuple(rest)))
        for entry in parse_tree(shelf.read(digest)):
            path = f"{base}/{entry.name}"
            if first == "**":
                if entry.mode == "dir":
                    waiting.append((path, entry.digest, (first, *rest)))
                if rest:
                    continue
            elif not fnmatch.fnmatchcase(entry.name, first):
                continue
            elif rest:
                if entry.mode == "dir":
                    waiting.append((path, entry.digest, tuple(rest)))
                continue
            if path not in seen:
                seen.add(path)
                found.append(path)
    return sorted(found)


def _within(one: Tracked, path: str, shelf: Shelf, *, recursive: bool) -> list[Listed]:
    here = _top(one)
    for part in path[len(one.path) + 1 :].split("/") if path != one.path else ():
        inner = [entry for entry in _children(here, shelf) if entry.path == f"{here.path}/{part}"]
        if not inner:
            raise NotFound(
                f"there is no {part} in {here.path}",
                code="not-tracked",
                hint=f"mlops ls {here.path}",
                details={"path": path},
            )
        here = inner[0]
    if here.mode != "dir":
        return [here]
    return _deep(_children(here, shelf), shelf) if recursive else _children(here, shelf)


def _deep(found: list[Listed], shelf: Shelf) -> list[Listed]:
    every: list[Listed] = []
    waiting = list(reversed(found))
    while waiting:
        one = waiting.pop()
        every.append(one)
        if one.mode == "dir":
            waiting += reversed(_children(one, shelf))
    return every


def _top(one: Tracked) -> Listed:
    mode: Mode = "dir" if one.kind == "tree" else "exec" if one.executable else "file"
    return Listed(one.path, mode, one.digest, one.size, one.files, one.source, one.step)


def _children(one: Listed, shelf: Shelf) -> list[Listed]:
    if one.mode != "dir":
        return []
    return [
        Listed(
            f"{one.path}/{entry.name}",
            entry.mode,
            entry.digest,
            entry.size,
            entry.files,
            one.source,
            one.step,
        )
        for entry in parse_tree(shelf.read(one.digest))
    ]
