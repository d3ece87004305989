"""What pipeline.yaml says, as frozen values; and the step, to which every section lowers.

Values are plain (strings, numbers, tuples, mappings), so that any part of the model can go into
a key: `to_plain` leaves out what equals its default, so a new optional field changes no key.
Durations stay the words a person wrote ("3h", "7d"); `duration` reads them.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mlops_cli.pipeline.goal import Until as Until  # noqa: PLC0414
from mlops_cli.pipeline.include import Include as Include  # noqa: PLC0414
from mlops_cli.pipeline.outs import Out as Out  # noqa: PLC0414
from mlops_cli.pipeline.partitions import Partitions as Partitions  # noqa: PLC0414
from mlops_cli.pipeline.step import Step as Step  # noqa: PLC0414

Task = typing.Literal["binary", "multiclass", "regression", "other"]
Determinism = typing.Literal["exact", "tolerant", "stochastic"]


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
    kind: typing.Literal["system", "venv", "uv", "conda", "container"] = "system"
    image: str | None = None


@dataclass(frozen=True, slots=True)
class ColumnCheck:
    """What must be true of one column. `nulls` is the greatest allowed share, 0 to 1."""

    type: typing.Literal["int", "float", "string", "bool", "timestamp"] | None = None
    min: float | None = None
    max: float | None = None
    nulls: float | None = None
    unique: bool = False
    one_of: tuple[Any, ...] | None = None  # spelled `in` in pipeline.yaml
    matches: str | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """The column to predict, and the column that tells when its value became known."""

    column: str
    known_at: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One source of raw data and its contract."""

    path: str
    key: tuple[str, ...] = ()
    time: str | None = None
    label: Label | None = None
    checks: Mapping[str, ColumnCheck] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)  # {min, max}
    fresh_within: str | None = None
    owner: str | None = None
    known_at: Mapping[str, str] = field(default_factory=dict)  # column → when its value was known


@dataclass(frozen=True, slots=True)
class Window:
    """One statistic over trailing windows; exactly one of mean, sum, count is set."""

    over: tuple[str, ...]
    mean: str | None = None
    sum: str | None = None
    count: str | None = None


@dataclass(frozen=True, slots=True)
class FeatureView:
    """Features of one entity: rows made by a transform, or statistics over trailing windows."""

    entity: tuple[str, ...]
    source: str  # spelled `from`: "data.weather"
    time: str
    ttl: str | None = None
    transform: str | None = None  # "src/features.py:weather"
    sql: str | None = None  # "features/weather.sql"
    fields: Mapping[str, str] = field(default_factory=dict)  # name → int | float | string | bool
    windows: Mapping[str, Window] = field(default_factory=dict)
    checks: Mapping[str, ColumnCheck] = field(default_factory=dict)
    on_fail: typing.Literal["stop", "quarantine"] = "stop"
    online: bool = False
    owner: str | None = None
    description: str = ""


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
class Split:
    """`group` names the column whose rows stay together, `strata` those whose values have the same
    shares on every side."""

    by: typing.Literal["time", "random", "group", "strata"] = "time"
    validate: float = 0.15
    test: float = 0.15
    group: str | None = None
    seed: int = 0
    strata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetDef:
    """Spine rows, their features as known at the time, and the split."""

    spine: str  # "data.flights"
    features: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()  # columns of the spine that are known at prediction time
    window: str | None = None  # only the newest rows: this long before the newest known label
    as_known: bool = True
    split: Split = field(default_factory=Split)
    waive: Mapping[str, str] = field(default_factory=dict)  # leakage check → the reason to go on


@dataclass(frozen=True, slots=True)
class Export:
    """`weights` writes weights.safetensors beside the model; `prune` sets that share of the
    weights, the smallest, to zero."""

    format: typing.Literal["onnx"] = "onnx"
    parity: float = 1e-5  # greatest allowed absolute difference between framework and ONNX
    weights: bool = False
    quantize: typing.Literal["int8"] | None = None
    prune: float = 0.0


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a training runs: here, or in `workers` processes that torchrun starts and, when one
    of them dies, starts again, up to `restarts` times."""

    kind: typing.Literal["local", "torchrun"] = "local"
    workers: int = 1
    restarts: int = 3


@dataclass(frozen=True, slots=True)
class Train:
    """Exactly one of `code` and `cmd` trains. `network` gives the torch module whose weights a
    command that knows no ONNX has written."""

    dataset: DatasetDef
    code: str | None = None  # "src/train.py:train"
    params: str | None = None  # "params.yaml:train"
    metrics: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    backend: Backend = field(default_factory=Backend)
    export: Export = field(default_factory=Export)
    owner: str | None = None
    cmd: str | tuple[str, ...] | None = None  # "python src/train.py"
    network: str | None = None  # "src/net.py:network"
    deps: tuple[str, ...] = ()  # further files that the training reads
    warm_start: typing.Literal["production", "previous"] | None = None
    incremental: bool = False  # train only on rows that the parent has not seen
    timeout: str | None = None
    retries: Retries | None = None
    resources: Resources | None = None
    checkpoint: str | None = None
    environment: Env | None = None
    determinism: Determinism = "exact"
    tolerance: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alias:
    """The policy of one alias. A gate is "metrics.roc_auc >= 0.58", "parity", "golden",
    "clean_tree", the name of another alias, or {better_than, on, margin, test, alpha}."""

    gates: tuple[Any, ...] = ()
    approvals: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    source: str  # spelled `from`: "train.delay"
    card: str | None = None
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Challenger:
    model: str
    mode: typing.Literal["shadow", "canary"] = "shadow"
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
    pii: Mapping[str, typing.Literal["hash", "drop"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServingLimits:
    body: str = "8MiB"
    rows: int = 10_000


@dataclass(frozen=True, slots=True)
class OnlineFeatures:
    """The server looks up features that a request leaves out. `missing`: an entity that the store
    does not know, or whose values are too old, is null (default) or a refused request."""

    online: str = "sqlite"
    missing: typing.Literal["default", "refuse"] = "default"


@dataclass(frozen=True, slots=True)
class Deployment:
    model: str  # "delay@production"
    challengers: tuple[Challenger, ...] = ()
    target: Target = field(default_factory=Target)
    log: Log = field(default_factory=Log)
    limits: ServingLimits = field(default_factory=ServingLimits)
    owner: str | None = None
    features: OnlineFeatures | None = None


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
class Budget:
    """What may be spent in any stretch of time as long as `per`; `cpu_hour` is its price."""

    runs: int | None = None
    cpu_hours: float | None = None
    per: str = "365d"
    money: float | None = None
    cpu_hour: float = 0.0


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
    on: typing.Literal["new_data", "drift", "push"] | None = None
    of: str | None = None
    min_rows: int | None = None
    timezone: str = "UTC"
    catch_up: typing.Literal["one", "all", "none"] = "one"  # of windows that were missed
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


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The whole of pipeline.yaml, version 1."""

    version: int
    project: ProjectInfo
    env: Env = field(default_factory=Env)
    data: Mapping[str, Source] = field(default_factory=dict)
    features: Mapping[str, FeatureView] = field(default_factory=dict)
    steps: Mapping[str, StepDef] = field(default_factory=dict)
    train: Mapping[str, Train] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    monitors: Mapping[str, Monitor] = field(default_factory=dict)
    triggers: Mapping[str, Trigger] = field(default_factory=dict)
    include: tuple[Include, ...] = ()
    limits: Limits = field(default_factory=Limits)


# field of the model → the word in pipeline.yaml, where that word is taken in Python
SPELLED = {
    "source": "from",
    "one_of": "in",
    "for_": "for",
    "map_": "map",
    "with_": "with",
    "as_": "as",
}

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(text: str) -> timedelta:
    """Return "90s", "15m", "3h", "7d", "2w" as a timedelta. Raises ValueError for other words."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 90s, 15m, 3h, 7d or 2w")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def size(text: str) -> int:
    """Return "8MiB", "500kB", "1024" as bytes. Raises ValueError for other words."""
    match = _SIZE.fullmatch(text.strip().replace("k", "K"))
    if match is None:
        raise ValueError(f"{text!r} is not a size such as 512KiB, 8MiB or 2GB")
    unit = match[2] or ""
    power = " KMGT".index(unit[:1] or " ")
    return int(float(match[1]) * (1024 if unit.endswith("i") else 1000) ** power)


def to_plain(value: Any) -> Any:
    """Return a model value as plain JSON; fields that equal their default are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: to_plain(getattr(value, item.name))
            for item in dataclasses.fields(value)
            if getattr(value, item.name) != _default(item)
        }
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: Any, value: Any) -> Any:
    """Return the model value of type `kind` that `to_plain` turned into `value`."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        choices = [choice for choice in typing.get_args(kind) if choice is not type(None)]
        if isinstance(value, Mapping):
            return from_plain(next(one for one in choices if dataclasses.is_dataclass(one)), value)
        if len(choices) > 1 and not isinstance(value, list):
            return value
        return from_plain(choices[-1], value)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{key: from_plain(hints[key], item) for key, item in value.items()})  # type: ignore[operator]
    if origin is tuple:
        return tuple(from_plain(typing.get_args(kind)[0], item) for item in value)
    if origin is not None and isinstance(value, Mapping):
        return {key: from_plain(typing.get_args(kind)[1], item) for key, item in value.items()}
    return value


def _default(item: dataclasses.Field[Any]) -> Any:
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return item.default
