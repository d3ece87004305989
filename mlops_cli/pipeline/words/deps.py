"""What a step says it reads: paths, patterns, URLs, or data, features and steps by name."""

from __future__ import annotations

from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.paths import base, clean
from mlops_cli.pipeline.words.items import folder
from mlops_cli.pipeline.words.outs import paths
from mlops_cli.pipeline.words.urls import is_url


def meant(pipeline: Pipeline, dep: str) -> list[str]:
    """Return the paths for which a dep stands."""
    kind, dot, name = dep.partition(".")
    if is_url(dep):
        return [dep]
    if kind == "data" and dot and name in pipeline.data:
        # the report as well: data that broke its contract never reaches a step
        return [pipeline.data[name].path, f"out/data/{name}.json"]
    if kind == "features" and dot and name in pipeline.features:
        return [f"out/features/{name}"]
    if kind == "steps" and dot and (made := _made(pipeline, name)):
        return made
    return [clean(dep)]


def by_name(pipeline: Pipeline, dep: str) -> bool:
    """Return whether a dep is a name, and no path."""
    return is_url(dep) or meant(pipeline, dep) != [clean(dep)]


def _made(pipeline: Pipeline, name: str) -> list[str]:
    """Return what a step makes, or all the steps that one entry with `for` stands for."""
    steps = [one for step, one in pipeline.steps.items() if name in (step, base(step))]
    found: list[str] = []
    for one in steps:
        made = [*paths(one.outs), *paths(one.metrics), *paths(one.plots)]
        found += map(folder, made) if one.map_ else made
    return found
