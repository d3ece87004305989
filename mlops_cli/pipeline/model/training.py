"""What `train` and `models` say: data sets, how models are made of them, and their aliases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mlops_cli.pipeline.model.project import Env
from mlops_cli.pipeline.model.steps import Determinism, Resources, Retries


@dataclass(frozen=True, slots=True)
class Split:
    """`group` names the column whose rows stay together, `strata` those whose values have the same
    shares on every side."""

    by: Literal["time", "random", "group", "strata"] = "time"
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

    format: Literal["onnx"] = "onnx"
    parity: float = 1e-5  # greatest allowed absolute difference between framework and ONNX
    weights: bool = False
    quantize: Literal["int8"] | None = None
    prune: float = 0.0


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a training runs: here, or in `workers` processes that torchrun starts and, when one
    of them dies, starts again, up to `restarts` times."""

    kind: Literal["local", "torchrun"] = "local"
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
    warm_start: Literal["production", "previous"] | None = None
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
