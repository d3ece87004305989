"""What a step says it reads: paths, patterns, URLs, or data, features and steps by name."""

from __future__ import annotations

from collections.abc import Collection

from mlops_cli.errors import MlopsError
from mlops_cli.pipeline.document import Place, refuse
from mlops_cli.pipeline.mapped import folder
from mlops_cli.pipeline.model import Pipeline
from mlops_cli.pipeline.names import Where, known, near_miss
from mlops_cli.pipeline.outs import paths
from mlops_cli.pipeline.paths import base, clean
from mlops_cli.pipeline.urls import KINDS, is_url


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


def check(pipeline: Pipeline, at: Where) -> None:
    """Raise ConfigError for a dep that is nearly a name, or a URL that nobody can ask about."""
    sections: dict[str, tuple[str, Collection[str]]] = {
        "data": ("the source", pipeline.data),
        "features": ("the feature", pipeline.features),
        "steps": ("the step", dict.fromkeys([*map(base, pipeline.steps), *pipeline.steps])),
    }
    for name, step in pipeline.steps.items():
        for n, dep in enumerate(step.deps):
            if is_url(dep):
                _url(dep, at("steps", name, "deps", n))
            prefix, dot, rest = dep.partition(".")
            # data.txt may be a file: only what is nearly a name is refused
            if dot and prefix in sections and not by_name(pipeline, dep):
                what, known_names = sections[prefix]
                place = at("steps", name, "deps", n)
                if rest in known_names:
                    raise refuse(
                        place,
                        f"{what} {rest} makes nothing that {name} could read",
                        code="wrong-value",
                        hint=f"add outs: to {rest}, or take {dep} out",
                    )
                if near_miss(dep, f"{prefix}.", known_names):
                    known(dep, f"{prefix}.", known_names, place, what)


def _made(pipeline: Pipeline, name: str) -> list[str]:
    """Return what a step makes, or all the steps that one entry with `for` stands for."""
    steps = [one for step, one in pipeline.steps.items() if name in (step, base(step))]
    found: list[str] = []
    for one in steps:
        made = [*paths(one.outs), *paths(one.metrics), *paths(one.plots)]
        found += map(folder, made) if one.map_ else made
    return found


def _url(dep: str, place: Place) -> None:
    from mlops_cli.store.sources.source import spell

    if not dep.startswith(KINDS):
        raise refuse(
            place,
            f"{dep!r} is no URL that a step can read",
            code="wrong-value",
            hint="https://…; of other places, mlops import url and name the path",
        )
    try:
        from pathlib import Path

        spell(dep, start=Path())
    except MlopsError as error:
        raise refuse(place, error.message, code=error.code, hint=error.hint) from error
