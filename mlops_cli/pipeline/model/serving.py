"""What `deployments` say: which model is served, where, how much of it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Challenger:
    model: str
    mode: Literal["shadow", "canary"] = "shadow"
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Target:
    kind: str = "local"
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Log:
    sample: float = 1.0
    pii: Mapping[str, Literal["hash", "drop"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServingLimits:
    body: str = "8MiB"
    rows: int = 10_000


@dataclass(frozen=True, slots=True)
class OnlineFeatures:
    """The server looks up features that a request leaves out. `missing`: an entity that the store
    does not know, or whose values are too old, is null (default) or a refused request."""

    online: str = "sqlite"
    missing: Literal["default", "refuse"] = "default"


@dataclass(frozen=True, slots=True)
class Deployment:
    model: str  # "delay@production"
    challengers: tuple[Challenger, ...] = ()
    target: Target = field(default_factory=Target)
    log: Log = field(default_factory=Log)
    limits: ServingLimits = field(default_factory=ServingLimits)
    owner: str | None = None
    features: OnlineFeatures | None = None
