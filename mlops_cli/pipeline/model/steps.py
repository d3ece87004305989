"""What `steps` and `include` say: a command, what it reads and makes, what it may endure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mlops_cli.pipeline.model.project import Env

Determinism = Literal["exact", "tolerant", "stochastic"]
TRIES = 5  # towards a goal, where a step says no other number


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a step is tried again, and after which failures: "exit 75", "exit" (any status),
    "signal", "memory", "timeout". The pause doubles with each try."""

    times: int = 2
    on: tuple[str, ...] = ("exit 75", "signal", "memory")
    backoff: str = "1s"


@dataclass(frozen=True, slots=True)
class Resources:
    """What a step needs while it runs; steps that name the same mutex never run together."""

    cpus: int | None = None
    gpus: int | None = None
    mem: str | None = None
    mutex: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Out:
    """An output and how it is kept. `cache: false`: its digest stands in the lock, its bytes are
    left to git or to nobody. `persist`: a step finds it as it left it, and goes on with it.
    `push: false`: it stays here. `keep`: gc needs no more than so many of its versions."""

    path: str
    cache: bool = True
    persist: bool = False
    push: bool = True
    keep: int | None = None


@dataclass(frozen=True, slots=True)
class Until:
    """The step is tried again until `metric` holds ("auc >= 0.9"), at most `tries` times and not
    after its tries have taken `budget` together. `${try}` in its command is 1, 2, …"""

    metric: str
    tries: int = TRIES
    budget: str | None = None


@dataclass(frozen=True, slots=True)
class Partitions:
    """A step for each stretch of time that is over, as long as `every`, from `start` (to `end`);
    or one for each of `keys`. `${partition}` is its name, made by `format` (of strftime),
    `${partition.start}` and `${partition.end}` are its bounds."""

    by: Literal["time", "key"] | None = None
    every: str = "1d"
    start: str | None = None
    end: str | None = None
    format: str | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepDef:
    """A generic step: a command with inputs and outputs."""

    cmd: str | tuple[str, ...]
    deps: tuple[str, ...] = ()
    params: tuple[str, ...] = ()  # "params.yaml:clean"
    outs: tuple[str | Out, ...] = ()
    metrics: tuple[str, ...] = ()  # JSON files among the outputs whose numbers are recorded
    plots: tuple[str, ...] = ()  # files among the outputs that the record of a run names
    env: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()  # names of environment variables that are part of the key
    wdir: str = "."
    timeout: str | None = None
    frozen: bool = False
    always: bool = False
    owner: str | None = None
    retries: Retries | None = None
    resources: Resources | None = None
    checkpoint: str | None = None  # a folder that outlives a killed or failed attempt
    environment: Env | None = None  # of its own, instead of the env of all
    determinism: Determinism = "exact"
    tolerance: Mapping[str, float] = field(default_factory=dict)  # metric → how far it may be off
    partitions: Partitions | None = None
    until: Until | None = None
    map_: str | None = None  # a pattern: the command runs for each file that is new or changed
    for_: Any = None  # a list or mapping of lists: the entry stands for a step for each item


@dataclass(frozen=True, slots=True)
class Include:
    """Steps of another file. `${with.x}` there is what `with` says, `as` is put before names."""

    file: str
    with_: Mapping[str, Any] = field(default_factory=dict)
    as_: str | None = None
