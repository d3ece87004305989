"""The digest that a path stands for: in its pointer or lock now, or at a revision."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.encode import parse_json
from mlops_cli.errors import MlopsError
from mlops_cli.pipeline.keys.code import digest_of
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace.tracked import LOCKS, entries


def now(root: Path, path: str) -> list[str]:
    """Return the digest in the pointer beside tracked data, or in the lock of the step that made
    it; none where none is tracked."""
    if path.startswith("../"):
        return []
    pointer = root / f"{path}.mlops"
    if pointer.is_file():
        return _named(pointer.read_bytes(), f"{path}.mlops")
    locks = sorted((root / LOCKS).glob("*.json"))
    return _made([(f"{LOCKS}/{lock.name}", lock.read_bytes()) for lock in locks], path)


def at(git: Git, path: str, revision: str) -> list[str]:
    """Return the digest that data, or what a step made, had at a revision of git; of a file, of
    its bytes and of its definitions."""
    try:
        commit = git.rev_parse(revision)
    except MlopsError:
        return []
    if (pointer := git.show(commit, f"{path}.mlops")) is not None:
        return _named(pointer, f"{path}.mlops at {revision}")
    data = git.show(commit, path)
    if data is None:
        listed = git.run("ls-tree", "--name-only", "-z", commit, f"{LOCKS}/").split("\0")[:-1]
        read = zip(listed, objects.read(git, [f"{commit}:{name}" for name in listed]), strict=True)
        return _made([(name, one.data) for name, one in read if one is not None], path)
    return list(dict.fromkeys((str(Digest.of(data)), digest_of(data, path) or "")))


def _made(locks: list[tuple[str, bytes]], path: str) -> list[str]:
    each = (one for name, data in locks for one in entries(name, data))
    return [str(one.digest) for one in each if one.path == path]


def _named(data: bytes, source: str) -> list[str]:
    said = parse_json(data, source=source)
    return [str(said["digest"])] if isinstance(said, dict) and said.get("digest") else []
