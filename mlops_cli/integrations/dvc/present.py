"""What lies in the workspace, under the name that DVC would give it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from mlops_cli.integrations.dvc import sums
from mlops_cli.integrations.dvc.outs import Sum


def matches(path: Path, wanted: Sum) -> bool:
    """Return whether DVC would call what is at `path` by that name; what it ignores counts too."""
    try:
        if wanted.folder:
            return path.is_dir() and _folder(path, legacy=wanted.legacy) == wanted.md5
        if not path.is_file():
            return False
        if sums.of_file(path).md5 == wanted.md5:
            return True
        return wanted.legacy and wanted.md5 in sums.legacy_of_file(path)
    except OSError:
        return False


def listing(files: dict[str, str]) -> bytes:
    """Return the list of a folder as DVC writes it, from md5 by path."""
    rows = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    return json.dumps(rows, sort_keys=True).encode()


def describe(path: Path) -> tuple[str, int, int | None, bool] | None:
    """Return md5, size, number of files (None for one file) and executable bit of what is there."""
    try:
        if path.is_dir():
            files, size = _files(path, legacy=False)
            return _sum(files) + ".dir", size, len(files), False
        found = sums.of_file(path)
        return found.md5, found.size, None, bool(path.stat().st_mode & 0o100)
    except OSError:
        return None


def _folder(path: Path, *, legacy: bool) -> str:
    return _sum(_files(path, legacy=legacy)[0])


def _sum(files: dict[str, str]) -> str:
    return hashlib.md5(listing(files), usedforsecurity=False).hexdigest()


def _files(path: Path, *, legacy: bool) -> tuple[dict[str, str], int]:
    files: dict[str, str] = {}
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            found = sums.of_file(file)
            md5 = sums.legacy_of_file(file)[1] if legacy else found.md5
            files[file.relative_to(path).as_posix()] = md5
            size += found.size
    return files, size
