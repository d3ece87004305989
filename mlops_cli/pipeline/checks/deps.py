"""What steps say they read: no name is misspelled, every URL can be asked."""

from __future__ import annotations

from collections.abc import Collection

from mlops_cli.errors import MlopsError
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.paths import base
from mlops_cli.pipeline.words.deps import by_name
from mlops_cli.pipeline.words.document import Place, refuse
from mlops_cli.pipeline.words.names import Where, known, near_miss
from mlops_cli.pipeline.words.urls import KINDS, is_url


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
