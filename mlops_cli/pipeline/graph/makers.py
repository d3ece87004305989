"""Who makes what: each output has one maker, and what a step reads leads to its makers."""

from __future__ import annotations

from collections.abc import Mapping

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.globs import is_glob, may_touch
from mlops_cli.pipeline.graph.order import Where
from mlops_cli.pipeline.step import Step


def makers_of(steps: tuple[Step, ...], at: Where) -> dict[str, str]:
    """Return out → the step that makes it. Raises ConfigError ("two-producers")."""
    producers: dict[str, str] = {}
    for step in steps:
        for out in step.outs:
            other, shared = producers.get(out), out
            parent = out
            while other is None and (parent := parent.rpartition("/")[0]):
                other, shared = producers.get(parent), parent
            if other is not None:
                raise _disputed(step.name, other, out, shared, at)
            producers[out] = step.name
    for out, name in producers.items():  # a folder declared after a file in it
        parent = out
        while parent := parent.rpartition("/")[0]:
            if parent in producers:
                raise _disputed(name, producers[parent], out, parent, at)
    return producers


def _disputed(step: str, other: str, out: str, shared: str, at: Where) -> ConfigError:
    first, second = at(other, "outs", shared), at(step, "outs", out)
    inside = f", which lies in {shared}" if shared != out else ""
    return ConfigError(
        f"{second}: {step} makes {out}{inside}, and {other} ({first}) makes it too",
        code="two-producers",
        hint="give each step outputs of its own",
        details={"path": out, "steps": [other, step], "places": [first, second]},
    )


def folders_of(producers: Mapping[str, str]) -> dict[str, list[str]]:
    """Return, for each folder, the steps with an output somewhere in it."""
    folders: dict[str, list[str]] = {}
    for out, name in producers.items():
        parent = out
        while parent := parent.rpartition("/")[0]:
            folders.setdefault(parent, []).append(name)
    return folders


def makers(dep: str, producers: Mapping[str, str], folders: Mapping[str, list[str]]) -> list[str]:
    """Return the steps that make `dep`, what lies in it, or what it lies in."""
    if is_glob(dep):
        return [name for out, name in producers.items() if may_touch(dep, out)]
    parent = dep
    while parent:
        if parent in producers:
            return [producers[parent]]
        parent = parent.rpartition("/")[0]
    return folders.get(dep, [])
