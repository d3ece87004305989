"""A path inside something tracked: found, put there or taken away without having the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.compare import changes
from mlops_cli.store.files.ingest import Stored
from mlops_cli.store.files.scan import Ignored, mode_of
from mlops_cli.store.patch import Patched, Shelf, find, find_all, patch
from mlops_cli.store.tree import Entry
from mlops_cli.workspace import ignore
from mlops_cli.workspace.tracked import Tracked

Store = Callable[[Path, Ignored | None], Stored]  # keeps what lies there, less what is ignored


def around(tracked: Iterable[Tracked], path: str) -> Tracked | None:
    """Return the tracked folder in which `path` lies, None when it is tracked itself or not."""
    return next((one for one in tracked if path.startswith(one.path + "/")), None)


def inner(one: Tracked, path: str) -> str:
    """Return `path` as seen from the tracked folder in which it lies."""
    return path[len(one.path) + 1 :]


def entry(shelf: Shelf, one: Tracked, path: str) -> Entry:
    """Return what the tracked folder has at `path`. Raises NotFound ("not-tracked")."""
    return entries(shelf, one, [path])[path]


def entries(shelf: Shelf, one: Tracked, paths: Sequence[str]) -> dict[str, Entry]:
    """Return what the tracked folder has at each of `paths`. Raises NotFound ("not-tracked")."""
    wanted = {path: inner(one, path) for path in paths}
    found = find_all(shelf, one.digest, wanted.values()) if one.kind == "tree" else {}
    for path, at in wanted.items():
        if at not in found:
            raise NotFound(
                f"there is no {at} in {one.path}",
                code="not-tracked",
                hint=f"mlops ls {one.path}",
                details={"path": path, "tracked": one.path},
            )
    return {path: found[at] for path, at in wanted.items()}


def take(
    root: Path,
    one: Tracked,
    path: str,
    *,
    cache: Cache,
    shelf: Shelf,
    store: Store,
) -> tuple[dict[str, Entry | None], int]:
    """Store what lies at `path` and return how the tracked folder changes by it.

    A folder is laid over what is there: files of it that are not in the workspace stay, and the
    second value counts them. Raises StateRefused ("ignored", "is-a-link") and as `ingest` does.
    """
    at = inner(one, path)
    left_out = ignored(root, one, path)
    place = root / path
    if place.is_symlink() and (target := own_link(place, cache)) is not None:
        return {at: Entry("", "link", cache.put(target), len(target))}, 0
    stored = store(place, left_out)
    if stored.kind == "file":
        mode = "file" if place.is_symlink() else mode_of(os.lstat(place).st_mode)
        return {at: Entry("", mode, stored.digest, stored.size)}, 0
    former = find(shelf, one.digest, at)
    if former is None or former.mode != "dir":
        return {at: Entry("", "dir", stored.digest, stored.size, stored.files)}, 0
    differing = changes(shelf, former.digest, stored.digest)
    laid = {f"{at}/{change.path}": change.new for change in differing if change.new is not None}
    folders = {folder for path in laid for folder in outer(path)}
    kept = [
        path
        for change in differing
        if change.kind == "deleted" and (path := f"{at}/{change.path}") not in folders
        if laid.keys().isdisjoint(outer(path))
    ]
    return dict(laid), len(kept)


def rewrite(cache: Cache, shelf: Shelf, one: Tracked, put: Mapping[str, Entry | None]) -> Patched:
    """Return the tracked folder with `put` (by path inside it); its listings are stored.

    Raises StateRefused ("undecided") while the folder has two sides.
    """
    if one.theirs is not None:
        raise StateRefused(
            f"{one.path} has two sides since a merge, and to change it would lose one",
            code="undecided",
            hint=f"mlops merge --ours|--theirs|--both {one.path}",
            details={"path": one.path},
        )
    made = patch(shelf, one.digest, put)
    with cache.writer() as writer:
        for listing in made.listings:
            writer.add(Digest.of(listing), listing)
    return made


def outer(path: str) -> list[str]:
    """Return the folders in which `path` lies, the outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def own_link(place: Path, cache: Cache) -> bytes | None:
    """Return where a link leads, None for one that stands for an object of the cache."""
    target = os.fsencode(place.readlink())
    objects = os.fsencode(os.path.realpath(cache.root)) + b"/objects/"
    return None if target.startswith(objects) else target


def ignored(root: Path, one: Tracked | None, path: str) -> Ignored | None:
    """Return what is ignored below `path`; of a part, as were the whole folder `one` added.

    Raises StateRefused ("ignored", "is-a-link") for a part that would be left out.
    """
    if one is None:
        return ignore.ignored_in(root, path)
    at = inner(one, path)
    asked = ignore.ignored_in(root, one.path)
    for folder in outer(at):
        if (root / one.path / folder).is_symlink():
            raise StateRefused(
                f"{one.path}/{folder} is a link, and nothing lies in it",
                code="is-a-link",
                hint="name what it leads to, or replace it by a copy",
                details={"path": f"{one.path}/{folder}"},
            )
    if asked is None:
        return None
    whole = (root / one.path / at).is_dir()
    if asked(at, whole) or any(asked(folder, True) for folder in outer(at)):
        raise StateRefused(
            f"{one.path}/{at} is named in .mlopsignore",
            code="ignored",
            hint="take it out of .mlopsignore, or leave it out",
            details={"path": f"{one.path}/{at}"},
        )
    return below(asked, at)


def below(asked: Ignored | None, at: str) -> Ignored | None:
    """Return what is ignored in the folder `at`, asked with paths below it."""
    if asked is None:
        return None
    return lambda path, folder: asked(f"{at}/{path}", folder)
