"""Files at many commits at once: each folder that commits share is read once, by few processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.errors import OutsideWorld
from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git

_AT_ONCE = 5000  # objects asked of one process
_ENTRY = {  # by the length of an id in this repository: SHA-1 or SHA-256
    2 * length: re.compile(rb"([0-7]+) ([^\0]+)\0(.{%d})" % length, re.DOTALL)
    for length in (20, 32)
}


@dataclass(frozen=True, slots=True)
class Commits:
    """Commits by id. `held`: the tips of all refs, every step of a reflog that git still keeps,
    and what stashes are made of. `older`: all others that these lead back to."""

    held: frozenset[str]
    older: frozenset[str]


def commits(git: Git) -> Commits:
    """Return all commits that can be reached, of all work trees."""
    # the refs of the ledger hold records, which `ledger.roots` reads
    kept = "--glob=refs/mlops/experiments/*"
    every = ("--exclude=refs/mlops/*", "--all", kept, "--reflog")
    held = set(git.run("rev-list", "--no-walk=unsorted", *every).split())
    # staged and untracked files of a stash are its second and third parent
    stashed = git.call("log", "--walk-reflogs", "--format=%P", "refs/stash", "--")
    if stashed.code == 0:
        held.update(stashed.out.decode().split())
    return Commits(frozenset(held), frozenset(git.run("rev-list", *every).split()) - held)


def blobs(
    git: Git,
    revisions: Iterable[str],
    *,
    role: Callable[[str], str | None],
    wanted: Callable[[str, str], bool],
) -> set[str]:
    """Return the blob ids of all files that are `wanted` (role of their folder, name).

    `role` says of the path of a folder ("" is the top) what it is to the caller, None where it
    need not be entered; that must follow from its name and the role of the folder around it, for
    what stands in two folders of one role is looked at once.
    Raises OutsideWorld ("git-failed") where git has lost something.
    """
    level = {tree.id: {"": ""} for tree in _read(git, [f"{each}^{{tree}}" for each in revisions])}
    known: dict[str, set[tuple[bytes, bytes, bytes]]] = {}  # by role: mode, name, id
    found: set[str] = set()
    while level:
        below: dict[str, dict[str, str]] = {}  # tree → role → path
        for tree in _read(git, sorted(level)):
            entries = _entries(tree)
            for path in level[tree.id].values():
                here = role(path) or ""
                # commits share nearly all: one difference of sets passes over that
                fresh = entries - known.setdefault(here, set())
                known[here] |= fresh
                for mode, raw, child in fresh:
                    name = raw.decode("utf-8", "surrogateescape")
                    if mode == b"40000":
                        inner = f"{path}/{name}" if path else name
                        if (kind := role(inner)) is not None:
                            below.setdefault(child.hex(), {})[kind] = inner
                    elif mode != b"160000" and wanted(here, name):
                        found.add(child.hex())
        level = below
    return found


def contents(git: Git, ids: Iterable[str]) -> Iterator[bytes]:
    """Yield the bytes of the blobs `ids`. Raises OutsideWorld ("git-failed")."""
    for blob in _read(git, sorted(ids)):
        yield blob.data


def worktrees(git: Git) -> list[Path]:
    """Return the folders of all work trees of this clone that are there."""
    listing = git.run("worktree", "list", "--porcelain").splitlines()
    paths = [Path(line[len("worktree ") :]) for line in listing if line.startswith("worktree ")]
    return [path for path in paths if (path / ".git").exists()]


def staged(git: Git) -> list[tuple[str, str]]:
    """Return (path, blob id) of all that stands in the index, each side of a conflict too."""
    rows = git.run("ls-files", "--stage", "-z").split("\0")
    return [(path, meta.split(" ")[1]) for meta, _, path in (r.partition("\t") for r in rows if r)]


def _read(git: Git, names: Sequence[str]) -> Iterator[objects.GitObject]:
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        for name, found in zip(some, objects.read(git, some), strict=True):
            if found is None:
                raise _lost(name)
            yield found


def _entries(tree: objects.GitObject) -> set[tuple[bytes, bytes, bytes]]:
    """Return (mode, name, raw id) of each entry."""
    return set(_ENTRY[len(tree.id)].findall(tree.data))


def _lost(name: str) -> OutsideWorld:
    return OutsideWorld(
        f"git has lost {name}, so what it names cannot be told",
        code="git-failed",
        hint="git fsck; git fetch from a clone that is sound",
    )
