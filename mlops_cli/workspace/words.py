"""Which paths of the project a person means by the words that were typed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mlops_cli import fsio
from mlops_cli.errors import NotFound
from mlops_cli.workspace.pointer import SUFFIX, is_pointer

WILD = "*?["


def expand(root: Path, start: Path, words: Sequence[str]) -> list[str]:
    """Return the paths that `words` name, relative to `root`; patterns that the shell left are
    tried below `start`, where the person stands.

    Raises NotFound ("missing-path", "no-match"), ConfigError ("path-outside-project").
    """
    found: dict[str, None] = {}
    for word in words:
        matches = [word]
        if any(letter in word for letter in WILD) and not os.path.lexists(start / word):
            import glob

            matches = sorted(glob.glob(word, root_dir=start, recursive=True))
            matches = [match for match in matches if not match.endswith((SUFFIX, "/" + SUFFIX))]
            if not matches:
                raise NotFound(
                    f"nothing matches {word!r}", code="no-match", hint="ls", details={"path": word}
                )
        for match in matches:
            path = relative(root, start, match)
            if is_pointer(path) and (root / path).is_file():
                path = path.removesuffix(SUFFIX)  # `add data/*` meets the pointers as well
            found[path] = None
    return list(found)


def relative(root: Path, start: Path, word: str) -> str:
    """Return the path `word`, as seen from `start`, relative to the project at `root`.

    Raises ConfigError ("path-outside-project").
    """
    joined = os.path.normpath(os.path.join(os.path.realpath(start), word))
    base = os.path.realpath(root)
    if joined == base:
        return "."
    inner = os.path.relpath(joined, base)
    fsio.inside(root, Path(inner).parent)  # a link itself is not asked where it leads
    return PurePosixPath(inner).as_posix()
