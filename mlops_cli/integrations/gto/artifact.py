"""The bytes of an artifact of GTO at a commit: in git, in our cache, or in that of DVC."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import MlopsError
from mlops_cli.integrations.dvc import text
from mlops_cli.workspace.pointer import parse_pointer

if TYPE_CHECKING:
    from mlops_cli.store.cache import Cache
    from mlops_cli.vcs.repo import Git

_DECLARED = ("dvc.yaml", "artifacts.yaml")


def path_of(git: Git, commit: str, name: str) -> str:
    """Return the path that the project declared for an artifact then; its name where it did not.

    `folder:name` is declared by the dvc.yaml of that folder, relative to it.
    """
    folder, _, own = name.rpartition(":")
    prefix = f"{folder}/" if folder else ""
    for file in _DECLARED:
        data = git.show(commit, prefix + file)
        if data is None:
            continue
        try:
            values = text.mapping(text.parse(data, name=file), name=file)
            listed = values.get("artifacts", values if file == "artifacts.yaml" else None)
            item = text.mapping(listed, name=file).get(own)
        except MlopsError:
            continue  # what cannot be read declares nothing
        if isinstance(item, dict) and isinstance(item.get("path"), str):
            return prefix + str(item["path"])
    return prefix + own


def read(git: Git, cache: Cache, commit: str, path: str) -> bytes | None:
    """Return the bytes of `path` as of `commit`, None where they are not on this disk."""
    if (data := git.show(commit, path)) is not None:
        return data
    if (data := git.show(commit, f"{path}.mlops")) is not None:
        pointer = parse_pointer(data, file=f"{path}.mlops")
        if pointer.kind == "file" and cache.has(pointer.digest):
            return cache.read(pointer.digest)
    if (md5 := _md5(git, commit, path)) is not None:
        return _of_dvc(git.root, md5)
    return None


def _md5(git: Git, commit: str, path: str) -> str | None:
    """Return the md5 under which DVC had `path` then: in its .dvc file, or in dvc.lock."""
    for file in (f"{path}.dvc", "dvc.lock"):
        data = git.show(commit, file)
        if data is None:
            continue
        try:
            values = text.mapping(text.parse(data, name=file), name=file)
        except MlopsError:
            continue
        stages = values.get("stages") if file == "dvc.lock" else {"": values}
        for stage in (stages or {}).values() if isinstance(stages, dict) else ():
            if found := _out(stage, path, file):
                return found
    return None


def _out(stage: Any, path: str, file: str) -> str | None:
    for out in stage.get("outs") or () if isinstance(stage, dict) else ():
        named = out.get("path") if isinstance(out, dict) else None
        if file.endswith(".dvc") or named == path:
            md5 = out.get("md5") if isinstance(out, dict) else None
            if isinstance(md5, str) and len(md5) == 32 and md5.isalnum():
                return md5
    return None


def _of_dvc(root: Path, md5: str) -> bytes | None:
    import hashlib

    for folder in ("files/md5", ""):
        place = root / ".dvc/cache" / folder / md5[:2] / md5[2:]
        if place.is_file():
            data = place.read_bytes()
            # md5 is the name of a place here: bytes that are others are not taken
            return data if hashlib.md5(data, usedforsecurity=False).hexdigest() == md5 else None
    return None
