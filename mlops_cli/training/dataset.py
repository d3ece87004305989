"""The folder that the dataset step left: rows of each part, and what their columns are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlops_cli import encode
from mlops_cli.errors import NotFound
from mlops_cli.training import columns

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_cli.training.metrics import Array


def facts(folder: Path) -> dict[str, Any]:
    """Return dataset.json: {label, key, time, features: [{name, dtype}], split, …}."""
    value: dict[str, Any] = encode.parse_json(
        file(folder, "dataset.json").read_bytes(), source="dataset.json"
    )
    return value


def rows(folder: Path, part: Literal["train", "validate", "test"]) -> pa.Table:
    """Return the rows of one part of the split."""
    import pyarrow.parquet as pq

    return pq.read_table(file(folder, f"{part}.parquet"))


def labels(table: pa.Table, facts: Mapping[str, Any]) -> Array:
    """Return the label as float64 [rows]; of a multiclass task the position of the class."""
    found = columns.labels(table[facts["label"]], facts.get("classes", ()))
    return found.astype("float64")


def file(folder: Path, name: str) -> Path:
    """Return the path of `name` in `folder`. Raises NotFound ("missing-input")."""
    path = folder / name
    if not path.is_file():
        raise NotFound(f"{path} is missing", code="missing-input", hint="mlops run")
    return path
