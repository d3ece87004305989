"""What `project` and `env` say: the goal, the figure that judges it, where steps run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Task = Literal["binary", "multiclass", "regression", "other"]


@dataclass(frozen=True, slots=True)
class Kpi:
    """The figure by which the business judges the model."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    name: str
    goal: str = ""
    kpi: Kpi | None = None
    task: Task = "binary"
    owners: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Env:
    """The environment of steps; the normalised digest of `lock` is part of their keys. `system` is
    the one in which mlops runs; venv, uv and conda are made from the lock, in the cache; `image`
    is that of a container, by its digest: python@sha256:…"""

    lock: str | None = None
    kind: Literal["system", "venv", "uv", "conda", "container"] = "system"
    image: str | None = None
