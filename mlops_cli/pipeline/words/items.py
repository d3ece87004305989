"""`map:`: what `${item.…}` stands for, and the folder that holds what all items make."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath

from mlops_cli.pipeline.globs import is_glob

MARK = "${item."


def folder(template: str) -> str:
    """Return the folder that holds what all items make: `template` up to what differs."""
    parts = template.partition(MARK)[0].rpartition("/")[0]
    return os.path.normpath(parts) if parts else ""


def words(pattern: str, path: str) -> dict[str, str]:
    """Return what `${item.…}` stands for: path, name (below the folders that the pattern names),
    file (its last part) and stem (without the last suffix)."""
    above = next((n for n, part in enumerate(pattern.split("/")) if is_glob(part)), 0)
    name = "/".join(path.split("/")[above:])
    last = PurePosixPath(path)
    return {"path": path, "name": name, "file": last.name, "stem": last.stem}


def filled(text: str, item: Mapping[str, str], *, quoted: bool) -> str:
    """Return `text` with what belongs to one item in the place of `${item.…}`."""
    for word, value in item.items():
        text = text.replace(f"{MARK}{word}}}", shlex.quote(value) if quoted else value)
    return text
