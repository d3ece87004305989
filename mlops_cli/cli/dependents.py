"""Which steps of pipeline.yaml read a path; none where there is no pipeline.yaml."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_cli.project import Project


def readers(project: Project, paths: Iterable[str], *, part: bool = False) -> dict[str, list[str]]:
    """Return the steps that read each of `paths`, for those that somebody reads.

    Raises what loading pipeline.yaml raises.
    """
    if not (project.root / "pipeline.yaml").exists():
        return {}
    from mlops_cli.pipeline.graph.opening import open_graph
    from mlops_cli.pipeline.graph.readers import all_readers

    return all_readers(open_graph(project.root), paths, part=part)
