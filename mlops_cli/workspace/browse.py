"""A repository at a revision as folders and files, fetched only as far as somebody looks."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mlops_cli.errors import NotFound
from mlops_cli.store.cache import Cache
from mlops_cli.store.closure import Root
from mlops_cli.store.digest import Digest
from mlops_cli.store.patch import find
from mlops_cli.store.tree import Entry, Mode, parse_tree
from mlops_cli.workspace.foreign import Foreign, clean
from mlops_cli.workspace.gitfiles import MODES, store_files
from mlops_cli.workspace.supply import Supply
from mlops_cli.workspace.tracked import Tracked

LINKS = 10  # that lead to links


@dataclass(frozen=True, slots=True)
class Node:
    """A file or folder. Of a file that git keeps, digest and size are None until it is read."""

    path: str
    mode: Mode
    size: int | None
    digest: Digest | None
    keeper: Literal["data", "git"] | None  # None for a folder that holds both, or either


@dataclass(slots=True)
class Browser:
    """What `foreign` has, read through `supply`, whose cache keeps what was fetched."""

    foreign: Foreign
    supply: Supply
    _folders: dict[str, dict[str, Node]] = field(default_factory=dict)

    @property
    def cache(self) -> Cache:
        """Where what was read is kept."""
        return self.supply.cache

    def info(self, path: str) -> Node:
        """Return what is at `path`. Raises NotFound ("not-tracked")."""
        path = clean(path)
        if one := self._around(path):
            return self._inside(one, path)
        folder, _, name = path.rpartition("/")
        node = self._outer().get(folder, {}).get(name) if path else _folder("")
        if node is None:
            raise self._missing(path)
        if node.keeper == "git":
            entry = self._read(path)
            return Node(path, node.mode, entry.size, entry.digest, "git")
        return node

    def list(self, path: str) -> list[Node]:
        """Return what is in the folder at `path`, sorted; a file stands for itself."""
        path = clean(path)
        if self._around(path) is None and path in self._outer():
            return [node for _, node in sorted(self._outer()[path].items())]
        node = self.info(path)
        one = self._around(path)
        if node.mode != "dir" or node.digest is None or one is None:
            return [node]
        entries = parse_tree(self.supply.shelf(one.remote).read(node.digest))
        return [_of_entry(f"{path}/{entry.name}", entry) for entry in entries]

    def bring(self, path: str, *, depth: int = 0) -> Digest:
        """Fetch the file at `path` into the cache, where it is not there, and return its digest.

        A link is followed. Raises NotFound ("not-tracked", "missing-object", "missing-path"),
        IsADirectoryError.
        """
        node = self.info(path)
        if node.mode == "dir" or node.digest is None:
            raise IsADirectoryError(f"{path} is a folder")
        one = self._around(node.path)
        if one is not None and not self.cache.has(node.digest):
            root = Root(node.path, node.digest, "file", node.size or 0, 1)
            self.supply.bring([root], remote=one.remote)
        if node.mode != "link":
            return node.digest
        if depth > LINKS:
            raise self._missing(path)
        target = self.cache.read(node.digest).decode("utf-8", "surrogateescape")
        place = posixpath.normpath(posixpath.join(posixpath.dirname(node.path), target))
        return self.bring(place, depth=depth + 1)

    def _around(self, path: str) -> Tracked | None:
        for one in self.foreign.tracked:
            if path == one.path or path.startswith(one.path + "/"):
                return one
        return None

    def _inside(self, one: Tracked, path: str) -> Node:
        if path == one.path:
            return _of_tracked(one)
        shelf = self.supply.shelf(one.remote)
        inner = path[len(one.path) + 1 :]
        entry = find(shelf, one.digest, inner) if one.kind == "tree" else None
        if entry is None:
            raise self._missing(path)
        return _of_entry(path, entry)

    def _read(self, path: str) -> Entry:
        return store_files(self.foreign, [self.foreign.files[path]], self.cache)[path]

    def _outer(self) -> Mapping[str, dict[str, Node]]:
        """Return the folders around tracked data and files of git, by path and name."""
        if not self._folders:
            self._folders[""] = {}
            for one in self.foreign.tracked:
                self._put(_of_tracked(one))
            for file in self.foreign.files.values():
                if self._around(file.path) is None:
                    mode = MODES.get(file.mode, "file")
                    self._put(Node(file.path, mode, None, None, "git"))
        return self._folders

    def _put(self, node: Node) -> None:
        folder, _, name = node.path.rpartition("/")
        known = folder in self._folders
        self._folders.setdefault(folder, {})[name] = node
        if not known:
            self._put(_folder(folder))

    def _missing(self, path: str) -> NotFound:
        url, commit = self.foreign.at.address.url, self.foreign.at.commit
        where = f" at {commit[:12]} of {url}" if commit else ""
        return NotFound(
            f"{path} is not tracked{where}",
            code="not-tracked",
            hint="mlops ls" + (f" {url} --rev {commit[:12]}" if commit else ""),
            details={"path": path, "url": url},
        )


def _folder(path: str) -> Node:
    return Node(path, "dir", 0, None, None)


def _of_tracked(one: Tracked) -> Node:
    mode: Mode = "dir" if one.kind == "tree" else "exec" if one.executable else "file"
    return Node(one.path, mode, one.size, one.digest, "data")


def _of_entry(path: str, entry: Entry) -> Node:
    return Node(path, entry.mode, entry.size, entry.digest, "data")
