"""A stage of DVC as a step of pipeline.yaml; what has no word there is said in a note."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli.integrations.dvc.context import read_values
from mlops_cli.integrations.dvc.declared import Made
from mlops_cli.integrations.dvc.outs import Refused, place
from mlops_cli.integrations.dvc.stages import Stage

_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")
_READ = (".yaml", ".yml", ".json")  # params files that mlops reads key by key


@dataclass(frozen=True, slots=True)
class Lowered:
    """A stage by its new name; `definition` is what pipeline.yaml says of it."""

    name: str
    stage: Stage
    definition: dict[str, Any]
    notes: tuple[str, ...]


def lower(
    project: Path, stages: Iterable[Stage], metrics: Collection[str]
) -> list[Lowered | Refused]:
    """Return each stage as a step, or why it cannot be one; names are made to fit."""
    taken: set[str] = set()
    found: list[Lowered | Refused] = []
    for stage in stages:
        notes: list[str] = []
        try:
            definition = _definition(project, stage, metrics, notes)
        except Refused as refused:
            found.append(Refused(stage.address, refused.why))
            continue
        found.append(Lowered(_name(stage, taken), stage, definition, tuple(notes)))
    return found


def _name(stage: Stage, taken: set[str]) -> str:
    folder = stage.file.rpartition("/")[0]
    wanted = "_".join(part for part in (folder.replace("/", "_"), stage.name) if part)
    fit = _UNFIT.sub("_", wanted).strip("_-") or "step"
    name, again = fit, 2
    while name in taken:
        name, again = f"{fit}_{again}", again + 1
    taken.add(name)
    return name


def _definition(
    project: Path, stage: Stage, metrics: Collection[str], notes: list[str]
) -> dict[str, Any]:
    made: dict[str, Any] = {"cmd": stage.live[0] if len(stage.live) == 1 else list(stage.live)}
    made["deps"] = list(_deps(stage, notes))
    made["params"] = []
    for file, keys in stage.params:
        path = place(stage.wdir, file)
        fit = _references(project, path, keys)
        if fit is None:
            made["deps"].append(path)
            notes.append(
                f"any change of {path} counts, not only of {', '.join(keys) or 'its keys'}"
            )
        else:
            made["params"] += fit
    numbers = [one.path for one in stage.outs if _is_metrics(one, metrics)]
    made["outs"] = [one.path for one in stage.outs if one.path not in numbers]
    made["metrics"] = numbers
    notes += _unsaid(stage)
    if stage.wdir:
        made["wdir"] = stage.wdir
    if stage.frozen:
        made["frozen"] = True
    if stage.always:
        made["always"] = True
    return {key: value for key, value in made.items() if value not in ([], "")}


def _deps(stage: Stage, notes: list[str]) -> Iterable[str]:
    for dep in stage.deps:
        try:
            yield place(stage.wdir, dep)
        except Refused:
            notes.append(f"the dep {dep} lies outside of the project and is left out")


def _references(project: Path, path: str, keys: tuple[str, ...]) -> list[str] | None:
    """Return the params as pipeline.yaml names them, None where the whole file must stand in."""
    if not path.endswith(_READ):
        return None
    if not keys:
        return [path]
    try:
        values = read_values(project, path)
    except Refused:
        return None
    for key in keys:
        here: Any = values
        for word in key.split("."):
            if not isinstance(here, dict) or word not in here:
                return None
            here = here[word]
    return [f"{path}:{key}" for key in keys]


def _is_metrics(one: Made, named: Collection[str]) -> bool:
    return one.path.endswith(".json") and (one.role == "metrics" or one.path in named)


def _unsaid(stage: Stage) -> Iterable[str]:
    for one in stage.outs:
        if one.options.get("persist"):
            yield f"{one.path} is removed before the step runs (persist: true)"
        if one.options.get("push") is False:
            yield f"{one.path} is pushed like other outputs (push: false)"
        if one.options.get("remote"):
            yield f"{one.path} goes to the default remote, not to {one.options['remote']}"


def relative(stage: Stage, path: str) -> str:
    """Return how the files of the stage spell a path of the project."""
    return os.path.relpath(path, stage.wdir or ".")
