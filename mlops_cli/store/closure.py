"""Everything that a root stands for: the trees below it and the objects they name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from mlops_cli.errors import IntegrityError, NotFound
from mlops_cli.store.digest import PREFIX, Digest
from mlops_cli.store.tree import check_depth, parse_rows

Kind = Literal["file", "tree"]


class Readable(Protocol):
    """Whatever objects can be read from: a cache, or a remote behind one."""

    def read(self, digest: Digest) -> bytes:
        """Return the bytes, verified. Raises NotFound, IntegrityError."""
        ...


@dataclass(frozen=True, slots=True)
class Root:
    """An object that must be kept, and the path for whose sake (relative to the project)."""

    path: str
    digest: Digest
    kind: Kind
    size: int = 0
    files: int = 0


class Reached(NamedTuple):
    """An object below a root, and the first path that leads to it; `size` is its own bytes."""

    digest: Digest
    size: int
    path: str
    tree: bool


@dataclass(slots=True)
class Closure:
    """What was reached, in the order of the walk: a folder's files lie together."""

    objects: dict[Digest, Reached] = field(default_factory=dict)
    absent: list[Reached] = field(default_factory=list)  # trees that could not be opened, so
    damaged: list[Reached] = field(default_factory=list)  # that what is below them is unknown


def closure(cache: Readable, roots: Iterable[Root]) -> Closure:
    """Return all that is reachable from `roots`; whether files are here is not asked."""
    found = Closure()
    for root in roots:
        if root.kind == "file":
            reached = Reached(root.digest, root.size, root.path, False)
            found.objects.setdefault(root.digest, reached)
        else:
            _open_tree(cache, root.digest, root.path, found)
    return found


def digests(cache: Readable, root: Root) -> tuple[set[bytes], set[bytes]]:
    """Return the raw digests of all that is reachable from `root`, and of those the trees that
    cannot be opened; the lean form of `closure`, for whoever only wants to know what is there."""
    every, unopened = {root.digest.raw}, set[bytes]()
    waiting = [root.digest.raw] if root.kind == "tree" else []
    while waiting:
        raw = waiting.pop()
        try:
            rows = parse_rows(cache.read(Digest.from_raw(raw)))
        except (NotFound, IntegrityError):
            unopened.add(raw)
            continue
        below = {bytes.fromhex(digits) for _, mode, digits, _, _ in rows if mode == "dir"}
        waiting += below - every
        every |= below
        every.update([bytes.fromhex(digits) for _, mode, digits, _, _ in rows if mode != "dir"])
    return every, unopened


def children(data: bytes, path: str) -> list[Reached]:
    """Return what the tree `data` names, each with its path below `path`; the size of a folder is
    the sum below it.

    Raises IntegrityError as `parse_tree` does, and for what is deeper than any disk takes.
    """
    check_depth(path)
    return [
        Reached(Digest(PREFIX + digits), size, f"{path}/{name}", mode == "dir")
        for name, mode, digits, size, _ in parse_rows(data)
    ]


def _open_tree(cache: Readable, digest: Digest, path: str, found: Closure) -> None:
    waiting = [(digest, path)]
    while waiting:
        digest, path = waiting.pop()
        if digest in found.objects:
            continue
        try:
            data = cache.read(digest)
        except NotFound:
            found.absent.append(Reached(digest, 0, path, True))
            continue
        except IntegrityError:
            found.damaged.append(Reached(digest, 0, path, True))
            continue
        found.objects[digest] = Reached(digest, len(data), path, True)
        below = []
        for part in children(data, path):
            if part.tree:
                below.append((part.digest, part.path))
            else:
                found.objects.setdefault(part.digest, part)
        waiting += reversed(below)
