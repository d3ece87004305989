"""Where artifacts lie, and how they come into the cache: as bytes, never loaded, never unpickled.

A URI in a database or a meta.yaml is a claim of a stranger. A path is followed only below the
folders that the person named (the store itself, and --artifacts); any other scheme only when
asked, and then through the door to fsspec.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlops_cli.errors import MlopsError, NotFound, StateRefused
from mlops_cli.integrations.mlflow.entity import File
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import ingest
from mlops_cli.store.patch import patch
from mlops_cli.store.tree import Entry, parse_tree, write_tree

_PROXIED = "mlflow-artifacts"
_LOCAL = ("", "file")
_MODEL = "MLmodel"
_DEEP = 6  # folders below a run in which a model is looked for


@dataclass(frozen=True, slots=True)
class Taken:
    """What came into the cache: a tree, its files and bytes; or why nothing did."""

    tree: str | None = None
    files: int = 0
    size: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Shelves:
    """The folders below which artifacts may be read; `remote` lets other schemes in."""

    roots: tuple[Path, ...]
    remote: bool = False

    def place(self, uri: str) -> Path | str | None:
        """Return the folder that `uri` means here, a URL to fetch, or None where neither is.

        Raises StateRefused ("outside-artifacts", "remote-artifacts") with what would let it in.
        """
        parts = urlsplit(uri)
        if parts.scheme not in (*_LOCAL, _PROXIED):
            if self.remote:
                return uri
            raise StateRefused(
                f"its artifacts are at {uri}",
                code="remote-artifacts",
                hint="--remote-artifacts fetches them",
            )
        path = unquote(parts.path) if parts.scheme else uri
        if parts.scheme == _PROXIED:
            return self._below(path.lstrip("/"), ("", "mlartifacts"))
        found = self._inside(Path(path))
        # a store that was moved: its folders are where they were, seen from the store
        moved = found or self._below("/".join(Path(path).parts[-4:]), ("", "mlruns", "mlartifacts"))
        moved = moved or self._below("/".join(Path(path).parts[-3:]), ("", "mlruns", "mlartifacts"))
        if moved is None and Path(path).is_dir():
            raise StateRefused(
                f"its artifacts are at {path}, outside of the store",
                code="outside-artifacts",
                hint=f"--artifacts {path} lets them in",
            )
        return moved

    def _inside(self, path: Path) -> Path | None:
        for root in self.roots:
            base = os.path.realpath(root)
            real = os.path.realpath(path if path.is_absolute() else root / path)
            if real.startswith(base.rstrip("/") + "/") and Path(real).is_dir():
                return Path(real)
        return None

    def _below(self, path: str, folders: Iterable[str]) -> Path | None:
        if ".." in path.split("/") or not path:
            return None
        for root in self.roots:
            for folder in folders:
                if found := self._inside(root / folder / path):
                    return found
        return None


def summary(place: Path | str | None) -> tuple[int, int]:
    """Return how many files lie below the folder and how many bytes: to see whether it changed."""
    files = size = 0
    if isinstance(place, Path):
        for folder, _, names in os.walk(place):
            for name in names:
                files += 1
                size += os.lstat(os.path.join(folder, name)).st_size
    return files, size


def take(place: Path | str | None, cache: Cache) -> Taken:
    """Store what lies at `place` and return its tree; an empty folder is nothing."""
    if place is None:
        return Taken()
    try:
        if isinstance(place, str):
            from mlops_cli.store.sources.download import download

            got = download(place, cache)
            kind, digest, files, size = got.kind, got.digest, got.files, got.size
        else:
            stored = ingest(place, cache=cache, jobs=1)
            kind, digest, files, size = stored.kind, stored.digest, stored.files, stored.size
    except NotFound:
        return Taken(why="its artifacts are gone")
    except MlopsError as exc:
        return Taken(why=f"its artifacts: {exc.message}")
    if kind != "tree" or not files:
        return Taken()
    return Taken(str(digest), files, size)


def tree_of(cache: Cache, files: Mapping[str, File], base: str | None = None) -> str | None:
    """Store the tree that holds `files` (path → bytes in the cache), and what `base` held."""
    if not files:
        return base
    entries = {
        path: Entry("", "file", Digest.parse(file.digest), file.size)
        for path, file in files.items()
    }
    start = Digest.parse(base) if base else cache.put(write_tree([]))
    made = patch(cache, start, entries)
    with cache.writer() as writer:
        for listing in made.listings:
            writer.put(listing)
    return str(made.digest)


def files_of(cache: Cache, tree: str, prefix: str = "") -> dict[str, File]:
    """Return path → file of all that the tree holds, links left out."""
    found: dict[str, File] = {}
    for entry in parse_tree(cache.read(Digest.parse(tree))):
        if entry.mode == "dir":
            found |= files_of(cache, entry.digest, f"{prefix}{entry.name}/")
        elif entry.mode != "link":
            found[prefix + entry.name] = File(str(entry.digest), entry.size)
    return found


def models_in(cache: Cache, tree: str, prefix: str = "", depth: int = 0) -> dict[str, str]:
    """Return path → tree of each folder below that holds an MLmodel."""
    entries = parse_tree(cache.read(Digest.parse(tree)))
    if depth and any(entry.name == _MODEL and entry.mode == "file" for entry in entries):
        return {prefix.rstrip("/"): tree}
    found: dict[str, str] = {}
    if depth < _DEEP:
        for entry in entries:
            if entry.mode == "dir":
                found |= models_in(cache, entry.digest, f"{prefix}{entry.name}/", depth + 1)
    return found
