"""Rows of the prediction log as one Arrow batch; its columns are docs/formats/prediction-log.md."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_cli.serving.core import Entry
from mlops_cli.serving.logfiles import INPUT
from mlops_cli.serving.router import Variant, position
from mlops_cli.serving.schema import Column
from mlops_cli.serving.tensors import Array

_ARROW: dict[str, str] = {
    "FP32": "float32",
    "FP64": "float64",
    "INT64": "int64",
    "INT32": "int32",
    "BOOL": "bool_",
    "BYTES": "string",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """Which share of the rows is logged, and what of a person in them: input → hash or drop."""

    sample: float = 1.0
    pii: Mapping[str, str] = field(default_factory=dict)
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class Answered:
    """What one variant said, or as a shadow would have said, to one call."""

    entry: Entry
    variant: Variant
    score: Array


def batch(parts: list[Answered], policy: Policy) -> Any:
    """Return the Arrow batch of `parts`, which share their inputs; None when no row is kept."""
    import numpy as np
    import pyarrow as pa

    stamp = pa.timestamp("us", tz="UTC")
    calls = [part.entry.call for part in parts]
    ids = [item for call in calls for item in call.ids]
    received = np.repeat([part.entry.received for part in parts], [call.rows for call in calls])
    models = [part.variant.model for part in parts for _ in range(part.entry.call.rows)]
    scores = np.concatenate([_flat(part.score) for part in parts])
    columns: dict[str, Any] = {
        "request_id": pa.array(ids, pa.string()),
        "time": pa.array([item for call in calls for item in call.times], pa.int64()).cast(stamp),
        "received": pa.array(received, pa.int64()).cast(stamp),
        "model": pa.array([model.digest for model in models], pa.string()),
        "version": pa.array([model.version for model in models], pa.int32()),
        "variant": pa.array(
            [part.variant.role for part in parts for _ in range(part.entry.call.rows)], pa.string()
        ),
        "score": pa.array(scores if scores.ndim == 1 else list(scores)),
    }
    for column in parts[0].entry.inputs:
        joined = np.concatenate([call.columns[column.name] for call in calls])
        array = _input(column, joined, policy)
        if array is not None:
            columns[INPUT + column.name] = array
    made = pa.RecordBatch.from_pydict(columns)
    if policy.sample < 1:
        kept = [position(f"sample/{item}") < policy.sample for item in ids]
        made = made.filter(pa.array(kept, pa.bool_()))
    return made if made.num_rows else None


def _flat(score: Array) -> Array:
    return score.reshape(len(score)) if score.size == len(score) else score


def _input(column: Column, values: Array, policy: Policy) -> Any:
    """Return one input as it may be written, None where it is to be dropped."""
    import pyarrow as pa

    rule = policy.pii.get(column.name)
    if rule == "drop":
        return None
    if rule == "hash":
        return pa.array([_hashed(value, policy.key) for value in values.tolist()], pa.string())
    kind = getattr(pa, _ARROW[column.dtype])()
    return pa.array(values, type=kind, from_pandas=True)


def _hashed(value: Any, key: bytes) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return hashlib.blake2b(str(value).encode(), key=key, digest_size=16).hexdigest()
