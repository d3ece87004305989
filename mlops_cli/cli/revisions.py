"""`data/raw@v1.0`: a path and the revision at which it is meant."""

from __future__ import annotations

import os
from pathlib import Path


def split(word: str, start: Path) -> tuple[str, str | None]:
    """Return the path and the revision that `word` names; "@v1" alone means everything at v1.

    A path that is there, or tracked, with an @ in its name is that path. `start` is where
    the person stands.
    """
    path, sign, revision = word.rpartition("@")
    if revision.startswith("{"):  # HEAD@{1}, as git says it
        path, sign, name = path.rpartition("@")
        revision = f"{name}@{revision}"
    if not sign or not revision:
        return word, None
    if os.path.lexists(start / word) or os.path.lexists(start / f"{word}.mlops"):
        return word, None
    return path, revision
