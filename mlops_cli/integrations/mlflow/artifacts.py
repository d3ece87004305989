"""The artifacts of a run or a model as a tree in the cache."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_cli.integrations.mlflow.entity import File
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.patch import patch
from mlops_cli.store.tree import Entry, parse_tree, write_tree

_MODEL = "MLmodel"
_DEEP = 6  # folders below a run in which a model is looked for


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
