"""What `triggers` and `limits` say: when something is due, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in any stretch of time as long as `per`; `cpu_hour` is its price."""

    runs: int | None = None
    cpu_hours: float | None = None
    per: str = "365d"
    money: float | None = None
    cpu_hour: float = 0.0


@dataclass(frozen=True, slots=True)
class Goal:
    """A metric to reach, and how often it is tried."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    tries: int = 5


@dataclass(frozen=True, slots=True)
class Trigger:
    """When `run`, a step or retrain.MODEL, is due: by `cron`, `on` an event, or `until` a goal."""

    run: str
    cron: str | None = None
    on: Literal["new_data", "drift", "push"] | None = None
    of: str | None = None
    min_rows: int | None = None
    timezone: str = "UTC"
    catch_up: Literal["one", "all", "none"] = "one"  # of windows that were missed
    grace: str = "1h"  # how late a window may run where nothing is caught up
    branch: str | None = None
    until: Goal | None = None
    cooldown: str | None = None
    concurrency: int | None = None
    budget: Budget | None = None
    retries: int = 0
    lease: str = "10m"  # how long a machine that says nothing is taken to be alive


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for all triggers together."""

    concurrency: int = 1
    budget: Budget | None = None
