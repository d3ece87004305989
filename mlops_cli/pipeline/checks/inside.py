"""Paths of pipeline.yaml stay in the project, and outputs off the places of mlops and git."""

from __future__ import annotations

import os
from pathlib import Path

from mlops_cli.pipeline.words.document import Place, refuse


def project_path(path: str, place: Place, root: Path, *, written: bool = False) -> None:
    """Raise ConfigError unless `path` stays in the project (and is free to write)."""
    if "://" in path:
        raise refuse(
            place,
            f"{path!r} is a URL, and a path in the project is needed",
            code="path-outside-project",
            hint="download it and `mlops add` it",
        )
    normal = os.path.normpath(path)
    first = next(iter(Path(normal).parts), ".")
    leaves = path == "" or "\0" in path or first in ("..", os.sep)
    base = os.path.realpath(root)
    real = base if leaves else os.path.realpath(Path(root, normal))
    if leaves or not (real == base or real.startswith(base + os.sep)):
        raise refuse(
            place,
            f"the path {path!r} leaves the project",
            code="path-outside-project",
            hint="use a path relative to the project, without '..' or links that point out",
            path=path,
        )
    if written and (normal == "." or first in (".git", ".mlops", "pipeline.yaml")):
        raise refuse(
            place,
            f"the output {path!r} is a place where mlops or git keep their own files",
            code="reserved-path",
            hint="write under out/",
            path=path,
        )
