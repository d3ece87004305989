"""What one value of pipeline.yaml says about another: names that exist, sections that agree."""

from __future__ import annotations

import re
from pathlib import Path

from mlops_cli.pipeline.checks import (
    deps,
    environment,
    outs,
    running,
    serving,
    training,
    triggers,
)
from mlops_cli.pipeline.checks.inside import project_path
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.paths import base
from mlops_cli.pipeline.words.deps import by_name
from mlops_cli.pipeline.words.document import meant, refuse
from mlops_cli.pipeline.words.interpolate import strays
from mlops_cli.pipeline.words.names import Where, known
from mlops_cli.pipeline.words.outs import path_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SECTIONS = ("data", "features", "steps", "train", "models", "deployments", "monitors", "triggers")


def check(pipeline: Pipeline, at: Where, root: Path) -> None:
    """Raise ConfigError for the first name, path or metric that does not fit; `at` tells where."""
    for section in _SECTIONS:
        for name in getattr(pipeline, section):
            if not _NAME.fullmatch(base(name) if section == "steps" else name):
                raise refuse(
                    at(section, name),
                    f"{name!r} cannot be a name in {section}",
                    code="wrong-value",
                    hint="use letters, digits, - and _; begin with a letter or digit",
                )
    _paths(pipeline, at, root)
    _data(pipeline, at)
    _features(pipeline, at)
    _steps(pipeline, at)
    deps.check(pipeline, at)
    outs.check(pipeline, at)
    training.check(pipeline, at)
    environment.check(pipeline, at, root)
    running.check(pipeline, at, root)
    serving.check(pipeline, at)
    triggers.check(pipeline, at)


def _paths(pipeline: Pipeline, at: Where, root: Path) -> None:
    for name, source in pipeline.data.items():
        project_path(source.path, at("data", name, "path"), root)
    for name, view in pipeline.features.items():
        for key in ("transform", "sql"):
            if value := getattr(view, key):
                file = value.partition(":")[0] if key == "transform" else value
                project_path(file, at("features", name, key), root)
    for name, step in pipeline.steps.items():
        project_path(step.wdir, at("steps", name, "wdir"), root)
        if step.map_:
            project_path(step.map_, at("steps", name, "map"), root)
        for key in ("deps", "outs", "metrics", "plots"):
            for n, path in enumerate(map(path_of, getattr(step, key))):
                if key != "deps" or not by_name(pipeline, path):
                    place = at("steps", name, key, n, "path")
                    project_path(path, place, root, written=key != "deps")
    for name, train in pipeline.train.items():
        for key in ("code", "network"):
            if value := getattr(train, key):
                project_path(value.partition(":")[0], at("train", name, key), root)
        for n, path in enumerate(train.deps):
            project_path(path, at("train", name, "deps", n), root)
    for name, model in pipeline.models.items():
        if model.card:
            project_path(model.card, at("models", name, "card"), root)


def _data(pipeline: Pipeline, at: Where) -> None:
    for name, source in pipeline.data.items():
        for key in source.rows:
            if key not in ("min", "max"):
                raise refuse(
                    at("data", name, "rows", key),
                    f"unknown key {key!r} in data.{name}.rows",
                    code="unknown-key",
                    hint=meant(key, ("min", "max")),
                )
        if source.fresh_within and not source.time:
            raise refuse(
                at("data", name, "fresh_within"),
                f"data.{name} has fresh_within and no time column to judge it by",
                code="missing-key",
                hint="add time: to it",
            )


def _features(pipeline: Pipeline, at: Where) -> None:
    for name, view in pipeline.features.items():
        known(view.source, "data.", pipeline.data, at("features", name, "from"), "the source")
        ways = [key for key in ("transform", "sql") if getattr(view, key)]
        if len(ways) + bool(view.windows) != 1:
            raise refuse(
                at("features", name, *ways[:1]),
                f"features.{name} needs exactly one of transform, sql, windows",
                code="wrong-value",
                hint="make a second view for the other",
            )
        if view.transform and ":" not in view.transform:
            raise training.no_function(view.transform, at("features", name, "transform"))
        for key, window in view.windows.items():
            ways = [word for word in ("mean", "sum", "count") if getattr(window, word)]
            if len(ways) != 1:
                raise refuse(
                    at("features", name, "windows", key),
                    f"the window {key!r} needs exactly one of mean, sum, count",
                    code="wrong-value",
                )


def _steps(pipeline: Pipeline, at: Where) -> None:
    for name, step in pipeline.steps.items():
        if not step.cmd or not all(line.strip() for line in _lines(step.cmd)):
            raise refuse(
                at("steps", name, "cmd"), f"the command of step {name} is empty", code="wrong-value"
            )
        for found in (one for line in _lines(step.cmd) for one in strays(line)):
            name_of = found[2:-1].rpartition(":")[2].removeprefix("params.")
            raise refuse(
                at("steps", name, "cmd"),
                f"{found} names nothing that a command can use",
                code="unknown-reference",
                hint=f"a value of params.yaml is written ${{params.{name_of}}}",
            )


def _lines(cmd: str | tuple[str, ...]) -> tuple[str, ...]:
    return (cmd,) if isinstance(cmd, str) else cmd
