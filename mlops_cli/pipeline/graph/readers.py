"""Which steps read a path: who is asked before it is moved or removed."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_cli.pipeline.globs import is_glob, may_touch
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.paths import under


def readers(graph: Graph, path: str, *, part: bool = False) -> list[str]:
    """Return the steps that read `path`, something in it, or a folder around it.

    A `part` of a tracked folder is not missed by those that read the folder.
    """
    return [
        step.name
        for step in graph.steps.values()
        if any(
            under(dep, path)
            or (not part and under(path, dep))
            or (is_glob(dep) and may_touch(dep, path))
            for dep in step.deps
        )
    ]


def all_readers(graph: Graph, paths: Iterable[str], *, part: bool = False) -> dict[str, list[str]]:
    """Return the steps that read each of `paths`, for those that somebody reads."""
    found = {path: readers(graph, path, part=part) for path in paths}
    return {path: names for path, names in found.items() if names}
