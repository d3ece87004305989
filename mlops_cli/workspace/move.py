"""Move: data, its pointer and its line in .gitignore get another place, all of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import NotFound, StateRefused, UsageError
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import Stored
from mlops_cli.store.patch import Shelf
from mlops_cli.store.statcache import StatCache
from mlops_cli.store.tree import Entry
from mlops_cli.vcs import ignore as gitignore
from mlops_cli.vcs import index
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import destination, footing, part, track
from mlops_cli.workspace.pointer import SUFFIX, Pointer, write_pointer
from mlops_cli.workspace.tracked import Tracked


@dataclass(frozen=True, slots=True)
class Move:
    """One path that goes from `old` to `new`; `source` and `target` are the tracked folders in
    which these lie, None where the path is tracked by itself (`one`) or will be."""

    old: str
    new: str
    one: Tracked
    entry: Entry
    source: Tracked | None
    target: Tracked | None


def plan_move(
    root: Path,
    olds: Sequence[str],
    to: str,
    *,
    into: bool,
    git: Git,
    tracked: Sequence[Tracked],
    shelf: Shelf,
) -> list[Move]:
    """Return what moving `olds` to `to` means; nothing is changed. `into` says that `to` is meant
    as a folder; a folder that exists, here or in something tracked, is one anyway. A move that
    was cut short is planned once more.

    Raises NotFound ("not-tracked"), UsageError ("not-data", "not-a-folder"), StateRefused
    ("made-by-step", "in-the-way", "inside-itself", "is-a-link").
    """
    if not into and not any(destination.cut_short(root, old, to, tracked) for old in olds):
        into = destination.is_folder(root, to, tracked, shelf)
    if len(olds) > 1 and not into:
        raise UsageError(
            f"{to} is no folder, and {len(olds)} paths cannot have one name",
            code="not-a-folder",
            hint=f"mkdir -p {to}",
        )
    moves = [_move(old, to, into=into, tracked=tracked, shelf=shelf) for old in olds]
    for n, move in enumerate(moves):
        if any(move.new == other.new for other in moves[:n]):
            raise destination.in_the_way(move.new)
        destination.refuse(
            root, move.old, move.new, move.target, git=git, tracked=tracked, shelf=shelf
        )
    return moves


def carry_out(
    root: Path, moves: Sequence[Move], *, git: Git, cache: Cache, stats: StatCache, shelf: Shelf
) -> None:
    """Do what `moves` say; as `git mv` does, it is staged where the pointer was known to git.

    What will name the data comes first, the data next, and what named it goes last: a crash
    leaves something that is tracked twice and checked out once.
    """
    before = [one.source for move in moves for one in (move.source or move.one,)]
    ignores = [gitignore.beside(path) for move in moves for path in (move.old, move.new)]
    staged = index.known(git, before)
    if staged:
        staged |= index.unedited(git, ignores)
        staged |= {(move.target.source if move.target else move.new + SUFFIX) for move in moves}
    folders = {one.path: one for move in moves for one in (move.source, move.target) if one}
    for path, one in folders.items():
        put: dict[str, Entry | None] = {}
        for move in moves:
            if move.source and move.source.path == path:
                put[part.inner(one, move.old)] = None
            if move.target and move.target.path == path:
                put[part.inner(one, move.new)] = move.entry
        with cache.writing():  # until the pointer names it
            made = part.rewrite(cache, shelf, one, put)
            stored = Stored(made.digest, "tree", made.size, made.files)
            track.keep(root, track.Taken(path, stored, one, tuple(put)))
    for move in moves:
        if move.target is None:
            name = move.new.rpartition("/")[2]
            gitignore.add_lines(root / gitignore.beside(move.new), [gitignore.escaped(name)])
            write_pointer(root, _pointer(move))
            if move.source is None and (stand := footing.recall(root, move.one.source)):
                footing.remember(root, replace(stand, path=move.new))
        if os.path.lexists(root / move.old):
            rename(root / move.old, root / move.new, stats=stats)
        if move.source is None:
            (root / move.one.source).unlink(missing_ok=True)
            name = move.old.rpartition("/")[2]
            gitignore.remove_lines(root / gitignore.beside(move.old), [gitignore.escaped(name)])
    index.stage(git, staged)


def rename(old: Path, new: Path, *, stats: StatCache) -> None:
    """Give data another place; what is known of the files in a folder is true there as well."""
    with fsio.translated(new):
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
    if new.is_dir() and not new.is_symlink():
        former, now = str(old), str(new)
        known = stats.load(former)
        stats.replace((now + path[len(former) :], facts) for path, facts in known.items())


def _move(old: str, to: str, *, into: bool, tracked: Sequence[Tracked], shelf: Shelf) -> Move:
    new = f"{to}/{old.rpartition('/')[2]}".removeprefix("./") if into else to
    whole = next((one for one in tracked if one.path == old), None)
    source = None if whole else part.around(tracked, old)
    one = whole or source
    if one is None:
        raise NotFound(
            f"{old} is not tracked", code="not-tracked", hint="mlops ls", details={"path": old}
        )
    target = part.around(tracked, new)
    for touched in (one, target):
        if touched is not None and touched.step is not None:
            raise StateRefused(
                f"{touched.path} is made by the step {touched.step}",
                code="made-by-step",
                hint="name another output in pipeline.yaml",
                details={"path": touched.path, "step": touched.step},
            )
    if source is not None:
        entry = part.entry(shelf, source, old)
    else:
        mode = "dir" if one.kind == "tree" else "exec" if one.executable else "file"
        entry = Entry("", mode, one.digest, one.size, one.files)  # type: ignore[arg-type]
    if target is None and entry.mode == "link":
        raise StateRefused(
            f"{old} is a link, and a link is tracked only inside a folder",
            code="is-a-link",
            hint="move what it leads to",
            details={"path": old},
        )
    return Move(old, new, one, entry, source, target)


def _pointer(move: Move) -> Pointer:
    one, entry = move.one, move.entry
    kind = "tree" if entry.mode == "dir" else "file"
    own = move.source is None
    return Pointer(
        move.new,
        Digest(entry.digest),
        kind,  # type: ignore[arg-type]
        entry.size,
        entry.files,
        executable=entry.mode == "exec",
        remote=one.remote,
        push=one.push,
        pin=one.pin if own else None,
        theirs=one.theirs if own else None,
    )
