"""A file inside tracked folders, found in every version of them that the ledger tells of."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mlops_cli.cli import pointed, revisions
from mlops_cli.cli.render import text
from mlops_cli.errors import MlopsError
from mlops_cli.ledger import words
from mlops_cli.store.digest import Digest
from mlops_cli.store.patch import find

if TYPE_CHECKING:
    from mlops_cli.ledger.index import Index
    from mlops_cli.project import Project


def found(
    project: Project, index: Index, word: str, cwd: Path, *, until: str | None = None
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return where the bytes that `word` means stand: {path, folder, digest, versions, of}, where
    `versions` are the folders that hold them at that place; None where no folder does. And
    warnings.

    Which bytes: those in the folder as it is tracked now, at the revision after an @, or as a
    record saw it last.
    """
    plain, revision = revisions.split(word, cwd)
    path = Path(os.path.relpath(os.path.normpath(cwd / plain), project.root)).as_posix()
    for folder in map(str, list(PurePosixPath(path).parents)[:-1]):
        every = words.ever(index, folder, until=until)
        if not every:
            continue
        if revision:
            stands = pointed.at(project.git, folder, revision)
        else:
            stands = [] if until else pointed.now(project.root, folder)
        inner = path[len(folder) + 1 :]
        meant = _entry(project, (stands or every[-1:])[0], inner)
        if meant is None:
            return None, []
        each = {digest: _entry(project, digest, inner) for digest in every}
        versions = [digest for digest, one in each.items() if one == meant]
        lost = sum(not project.cache.has(Digest.parse(digest)) for digest in every)
        warnings = [f"{text.count(lost, 'version')} of {folder} are not here to look into."]
        said = {"path": path, "folder": folder, "digest": meant, "of": len(every)}
        return {**said, "versions": versions}, warnings if lost else []
    return None, []


def _entry(project: Project, folder: str, inner: str) -> str | None:
    """Return the digest of what stands at `inner`, None where nothing does or nobody can tell."""
    try:
        one = find(project.cache, Digest.parse(folder), inner)
    except MlopsError:  # not pulled, damaged, or no folder
        return None
    return str(one.digest) if one is not None else None
