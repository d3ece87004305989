"""The step, to which every section of pipeline.yaml lowers: one node of the graph.

It stands apart from the model, whose many classes a run that has nothing to do never needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One node of the graph. All that a step may depend on stands here; nothing else may."""

    name: str
    kind: str
    deps: tuple[str, ...] = ()  # paths in the project: files, directories
    outs: tuple[str, ...] = ()  # paths in the project: files, directories
    params: tuple[str, ...] = ()  # "params.yaml:train"
    code: tuple[str, ...] = ()  # project files whose import closure is part of the key
    config: Mapping[str, Any] = field(default_factory=dict)  # plain values of the section
    action: bool = False  # register, deploy, monitor: acts on the world, runs only when named
    needs: tuple[str, ...] = ()  # steps that come first though no path joins them
    cmd: tuple[str, ...] = ()  # shell lines of a command step
    metrics: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    wdir: str = "."
    until: Mapping[str, Any] = field(default_factory=dict)  # of goal.Until; {}: one try
    partition: str | None = None  # which one, of an entry with partitions
    timeout: str | None = None
    frozen: bool = False
    always: bool = False
    owner: str | None = None
    retries: Mapping[str, Any] = field(default_factory=dict)  # of model.Retries; {}: none
    resources: Mapping[str, Any] = field(default_factory=dict)  # of model.Resources
    checkpoint: str | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)  # of model.Env; {}: that of all
    determinism: str = "exact"  # of model.Determinism: what a reproduction may ask of it
    tolerance: Mapping[str, float] = field(default_factory=dict)  # metric → how far it may be off
    keeping: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # out → of outs.Out


_LISTED = ("deps", "outs", "params", "code", "needs", "cmd", "metrics", "plots", "variables")


def from_json(value: Mapping[str, Any]) -> Step:
    """Return the step that `model.to_plain` turned into `value`."""
    words = dict(value)
    for name in _LISTED:
        if name in words:
            words[name] = tuple(words[name])
    return Step(**words)
