"""What `monitors` say: what is watched, and when to retrain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlops_cli.pipeline.model.triggers import Budget


@dataclass(frozen=True, slots=True)
class MonitorWindow:
    size: str = "7d"
    min_rows: int = 500


@dataclass(frozen=True, slots=True)
class LabelJoin:
    source: str = ""  # spelled `from`: "data.flights"; the spine of the model when empty
    max_delay: str = "2d"


@dataclass(frozen=True, slots=True)
class Drift:
    """Alarm asks for both: an effect of practical size and evidence that it is no accident."""

    effect: float = 0.1
    alpha: float = 0.01


@dataclass(frozen=True, slots=True)
class Performance:
    metric: str
    min_drop: float = 0.02


@dataclass(frozen=True, slots=True)
class Retrain:
    """When to retrain: "performance_drop", {"drift": "important", "for": 2}, {"schedule": cron}."""

    when: tuple[Any, ...] = ()
    never_when: tuple[str, ...] = ()
    cooldown: str | None = None
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Monitor:
    deployment: str
    window: MonitorWindow = field(default_factory=MonitorWindow)
    labels: LabelJoin = field(default_factory=LabelJoin)
    drift: Drift = field(default_factory=Drift)
    performance: Performance | None = None
    retrain: Retrain = field(default_factory=Retrain)
    owner: str | None = None
