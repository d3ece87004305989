"""The digest that a path stands for: in its pointer now, or as data or code at a revision."""

from __future__ import annotations

from pathlib import Path

from mlops_cli.encode import parse_json
from mlops_cli.errors import MlopsError
from mlops_cli.pipeline.keys.code import digest_of
from mlops_cli.store.digest import Digest
from mlops_cli.vcs.repo import Git


def now(root: Path, path: str) -> list[str]:
    """Return the digest in the pointer beside tracked data, none where none is tracked."""
    pointer = root / f"{path}.mlops"
    if path.startswith("../") or not pointer.is_file():
        return []
    return _named(pointer.read_bytes(), f"{path}.mlops")


def at(git: Git, path: str, revision: str) -> list[str]:
    """Return the digest that data had at a revision of git; of a file, of its bytes and of its
    definitions."""
    try:
        commit = git.rev_parse(revision)
    except MlopsError:
        return []
    if (pointer := git.show(commit, f"{path}.mlops")) is not None:
        return _named(pointer, f"{path}.mlops at {revision}")
    data = git.show(commit, path)
    if data is None:
        return []
    return list(dict.fromkeys((str(Digest.of(data)), digest_of(data, path) or "")))


def _named(data: bytes, source: str) -> list[str]:
    said = parse_json(data, source=source)
    return [str(said["digest"])] if isinstance(said, dict) and said.get("digest") else []
