"""A folder of DVC, one flat list, as the trees of mlops."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlops_cli.integrations.dvc.brought import Got
from mlops_cli.integrations.dvc.outs import Listed
from mlops_cli.store.batch import BatchWriter
from mlops_cli.store.digest import Digest
from mlops_cli.store.files.ingest import Stored
from mlops_cli.store.tree import Mode, Row, write_rows


class Branch:
    """A folder while it is put together."""

    __slots__ = ("files", "folders")

    def __init__(self) -> None:
        self.files: list[Row] = []
        self.folders: dict[str, Branch] = {}


def plant(
    listed: Sequence[Listed], got: Mapping[str, Got], *, at: Path, writer: BatchWriter
) -> Stored:
    """Store the trees of a folder whose files are `listed`; `got` goes by their paths.

    DVC forgets the executable bits in a folder; those that the workspace has `at` it are kept.
    """
    top = Branch()
    for one in listed:
        branch = top
        *folders, name = one.path.split("/")
        for folder in folders:
            branch = branch.folders.setdefault(folder, Branch())
        mode: Mode = "exec" if one.executable or is_executable(at / one.path) else "file"
        digest, size = got[one.path]
        branch.files.append((name, mode, digest.hex, size, 1))
    return _store(top, writer)


def is_executable(path: Path) -> bool:
    """Return whether a plain file is there that its owner may run."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IXUSR)


def _store(branch: Branch, writer: BatchWriter) -> Stored:
    rows = list(branch.files)
    size, files = sum(row[3] for row in rows), len(rows)
    for name, inner in branch.folders.items():
        stored = _store(inner, writer)
        rows.append((name, "dir", stored.digest.hex, stored.size, stored.files))
        size, files = size + stored.size, files + stored.files
    data = write_rows(rows)
    digest = Digest.of(data)
    writer.add(digest, data)
    return Stored(digest, "tree", size, files)
