"""A path out of another repository into our cache: tracked data, a part of it, files of git."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlops_cli.errors import MlopsError, NotFound, StateRefused
from mlops_cli.store.closure import Kind, Root
from mlops_cli.store.digest import Digest
from mlops_cli.store.patch import find, patch
from mlops_cli.store.tree import Entry, Mode, write_tree
from mlops_cli.workspace.foreign import Foreign
from mlops_cli.workspace.gitfiles import store_files
from mlops_cli.workspace.supply import Supply
from mlops_cli.workspace.tracked import Tracked, related

Again = Callable[[Tracked], None]
_ELSEWHERE = ("missing-object", "no-remote", "remote-unavailable")  # it may be had elsewhere


@dataclass(frozen=True, slots=True)
class Taken:
    """What another repository has at a path."""

    digest: Digest
    kind: Kind
    size: int
    files: int
    executable: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    """Something tracked, or a part of it, and the remote that keeps it."""

    root: Root
    executable: bool
    remote: str | None


def take(
    foreign: Foreign,
    path: str,
    supply: Supply,
    *,
    data: bool = True,
    again: Again | None = None,
) -> Taken:
    """Bring what `foreign` has at `path` ("" for all) into our cache and return what it is.

    Without `data`, tracked data is only looked up: its digest is known without it. Fetched are
    the listings on the way and the object itself, nothing beside it. What `foreign` imported
    itself, and nobody pushed, `again` brings from its source.
    Raises NotFound ("missing-path", "missing-object", "no-remote"), StateRefused ("is-a-link").
    """
    try:
        return _take(foreign, path, supply, data=data)
    except MlopsError as lost:
        imported = [
            one for one in foreign.tracked if one.pin is not None and related(one.path, path)
        ]
        if again is None or not imported or lost.code not in _ELSEWHERE:
            raise
        try:
            for one in imported:
                again(one)
        except MlopsError as exc:
            raise lost from exc
    return _take(foreign, path, supply, data=data)


def _take(foreign: Foreign, path: str, supply: Supply, *, data: bool) -> Taken:
    part = _part(foreign, path, supply)
    if part is not None:
        if data:
            supply.bring([part.root], remote=part.remote)
        root = part.root
        return Taken(root.digest, root.kind, root.size, root.files, part.executable)
    if path in foreign.files:
        file = foreign.files[path]
        if file.mode == "120000":
            raise _is_a_link(path)
        entry = store_files(foreign, [file], supply.cache)[path]
        return Taken(entry.digest, "file", entry.size, 1, entry.mode == "exec")
    return _folder(foreign, path, supply, data=data)


def _part(foreign: Foreign, path: str, supply: Supply) -> _Part | None:
    for one in foreign.tracked:
        if one.path == path:
            return _Part(one.root, one.executable, one.remote)
        if not path.startswith(one.path + "/"):
            continue
        inner = path[len(one.path) + 1 :]
        shelf = supply.shelf(one.remote)
        entry = find(shelf, one.digest, inner) if one.kind == "tree" else None
        if entry is None:
            raise _missing(foreign, path)
        if entry.mode == "link":
            raise _is_a_link(path)
        kind: Kind = "tree" if entry.mode == "dir" else "file"
        root = Root(path, entry.digest, kind, entry.size, entry.files)
        return _Part(root, entry.mode == "exec", one.remote)
    return None


def _folder(foreign: Foreign, path: str, supply: Supply, *, data: bool) -> Taken:
    """Put together a folder of tracked data and files of git; only listings are made anew."""
    prefix = path + "/" if path else ""
    tracked = [one for one in foreign.tracked if one.path.startswith(prefix)]
    plain = [
        file
        for name, file in foreign.files.items()
        if name.startswith(prefix) and not any(name.startswith(one.path + "/") for one in tracked)
    ]
    if not tracked and not plain:
        raise _missing(foreign, path)
    if data:
        for remote in {one.remote for one in tracked}:
            supply.bring([one.root for one in tracked if one.remote == remote], remote=remote)
    entries: dict[str, Entry | None] = {
        name[len(prefix) :]: entry
        for name, entry in store_files(foreign, plain, supply.cache).items()
    }
    for one in tracked:
        mode: Mode = "dir" if one.kind == "tree" else "exec" if one.executable else "file"
        entries[one.path[len(prefix) :]] = Entry("", mode, one.digest, one.size, one.files)
    made = patch(supply.cache, supply.cache.put(write_tree([])), entries)
    with supply.cache.writer() as writer:
        for listing in made.listings:
            writer.put(listing)
    return Taken(made.digest, "tree", made.size, made.files)


def _missing(foreign: Foreign, path: str) -> NotFound:
    url = foreign.at.address.url
    return NotFound(
        f"{url} has no {path} at {foreign.at.commit[:12]}",
        code="missing-path",
        hint=f"mlops ls {url} --rev {foreign.at.commit[:12]}",
        details={"url": url, "path": path, "commit": foreign.at.commit},
    )


def _is_a_link(path: str) -> StateRefused:
    return StateRefused(
        f"{path} is a link there",
        code="is-a-link",
        hint="take what it leads to, or the folder around it",
        details={"path": path},
    )
