"""pipeline.yaml to a graph, whose refusals name where each step and path stands."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mlops_cli.pipeline.graph.assemble import graph
from mlops_cli.pipeline.graph.graph import Graph
from mlops_cli.pipeline.graph.order import Where
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.paths import clean
from mlops_cli.pipeline.reading.load import Loaded, load_with_places
from mlops_cli.pipeline.reading.lower import lower
from mlops_cli.pipeline.words.deps import meant
from mlops_cli.pipeline.words.outs import path_of
from mlops_cli.pipeline.words.sections import section as section_of


def read(
    root: Path, now: datetime | None
) -> tuple[Graph, frozenset[str], tuple[float, float] | None]:
    """Return the graph of the project in `root`, which files beside pipeline.yaml say which steps
    there are, and in which seconds since 1970 these are the steps.

    Raises what `load` and `graph` raise.
    """
    loaded = load_with_places(root, now=now)
    steps = lower(loaded.pipeline)
    env = to_plain(loaded.pipeline.env)
    span = loaded.span.seconds if loaded.span else None
    return graph(steps, env=env, where=place(loaded)), loaded.reads, span


def place(loaded: Loaded) -> Where:
    """Return what tells where a step stands, or one path of it."""

    def at(step: str, field_: str, value: str) -> str:
        section, name = section_of(step)
        if section == "steps" and field_:
            for word in (field_, "metrics", "plots") if field_ == "outs" else (field_,):
                for n, written in enumerate(getattr(loaded.pipeline.steps[name], word)):
                    one = path_of(written)
                    if value in (clean(one), *meant(loaded.pipeline, one)):
                        return str(loaded.place(section, name, word, n, "path"))
        if section == "data" and value:
            return str(loaded.place(section, name, "path"))
        return str(loaded.place(section, name))

    return at


def of_pipeline(pipeline: Pipeline) -> Graph:
    """Return the graph of a model that is already loaded."""
    return graph(lower(pipeline), env=to_plain(pipeline.env))


def place_of_step(root: Path, step: str, field_: str = "", value: str = "") -> str:
    """Return "pipeline.yaml:12:5" for a step, or for one path of it."""
    loaded = load_with_places(root)
    return place(loaded)(step, field_, value)
