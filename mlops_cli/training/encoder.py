"""From named columns to the two tensors a network takes: numbers and codes of categories.

The same encoding is written into the ONNX graph by export, so that serving knows columns only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_cli.errors import StepFailed
from mlops_cli.training import columns

if TYPE_CHECKING:
    import pyarrow as pa

UNKNOWN = 0


class Tensors(NamedTuple):
    """What a network sees of n rows: numeric float32 [n, k] with NaN for what is missing, codes
    int64 [n, c] with 0 for the missing and the unknown, label float32 [n] with NaN for what is
    missing; of a multiclass task int64 [n], the position of the class."""

    numeric: Any
    codes: Any
    label: Any


@dataclass(frozen=True, slots=True)
class Encoder:
    """Which columns are numbers, which are categories, and the code of every category."""

    features: tuple[Mapping[str, str], ...]  # {name, dtype} in the order of the dataset
    label: str
    vocabularies: Mapping[str, tuple[Any, ...]]  # category at position i has the code i + 1
    classes: tuple[Any, ...] = ()  # of a multiclass task, in the order of the model's output

    @property
    def numeric(self) -> tuple[str, ...]:
        """Return the names of the numeric columns, in the order of `Tensors.numeric`."""
        return tuple(f["name"] for f in self.features if f["name"] not in self.vocabularies)

    @property
    def categorical(self) -> tuple[str, ...]:
        """Return the names of the categorical columns, in the order of `Tensors.codes`."""
        return tuple(f["name"] for f in self.features if f["name"] in self.vocabularies)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Return how many codes each categorical column has, the unknown one included."""
        return tuple(len(self.vocabularies[name]) + 1 for name in self.categorical)

    def dtype(self, name: str) -> str:
        """Return "float", "int", "bool" or "string"."""
        return next(f["dtype"] for f in self.features if f["name"] == name)

    def tensors(self, table: pa.Table) -> Tensors:
        """Return the rows of `table` as tensors."""
        import torch

        numeric, codes = self._arrays(table)
        label = torch.tensor(self.labels(table))
        return Tensors(torch.from_numpy(numeric), torch.from_numpy(codes), label)

    def matrix(self, table: pa.Table) -> Any:
        """Return the rows of `table` as float32 [n, k + c]: the numbers, then the codes."""
        import numpy as np

        numeric, codes = self._arrays(table)
        return np.concatenate([numeric, codes.astype(np.float32)], 1)

    def labels(self, table: pa.Table) -> Any:
        """Return the label as an array [n], as in `Tensors`; NaN or 0 in a table without it."""
        import numpy as np

        if self.label not in table.column_names:
            kind, value = (np.int64, 0) if self.classes else (np.float32, np.nan)
            return np.full(table.num_rows, value, kind)
        return columns.labels(table[self.label], self.classes)

    def _arrays(self, table: pa.Table) -> tuple[Any, Any]:
        import numpy as np

        rows = table.num_rows
        numbers = [columns.floats(table[name]) for name in self.numeric]
        codes = [self._codes(table[name], name) for name in self.categorical]
        numeric = np.stack(numbers, 1) if numbers else np.zeros((rows, 0), np.float32)
        coded = np.stack(codes, 1) if codes else np.zeros((rows, 0), np.int64)
        return numeric, coded

    def _codes(self, column: pa.ChunkedArray, name: str) -> Any:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = pa.string() if self.dtype(name) == "string" else pa.float32()
        known = pa.array(self.vocabularies[name], kind)
        position = pc.index_in(_comparable(column, self.dtype(name)), known)
        return pc.fill_null(position, -1).to_numpy().astype(np.int64) + 1


def fit(
    table: pa.Table,
    features: Sequence[Mapping[str, str]],
    label: str,
    *,
    categorical: Sequence[str] = (),
    min_rows: int = 1,
    classes: Sequence[Any] = (),
) -> Encoder:
    """Return the encoder whose categories are those of `table`, the training rows.

    Text is always categorical; `categorical` names further columns (an hour, a weekday). A
    category with fewer than `min_rows` rows shares the code 0 with those never seen.
    Raises StepFailed ("column-missing").
    """
    names = [feature["name"] for feature in features]
    for name in [*names, *categorical]:
        if name not in table.column_names or name not in names:
            raise StepFailed(
                f"the dataset has no feature {name!r}",
                code="column-missing",
                hint=f"features: {', '.join(names)}",
            )
    chosen = [f for f in features if f["dtype"] == "string" or f["name"] in categorical]
    return Encoder(
        features=tuple(dict(feature) for feature in features),
        label=label,
        vocabularies={
            f["name"]: _vocabulary(table[f["name"]], f["dtype"], min_rows) for f in chosen
        },
        classes=tuple(classes),
    )


def of_schema(
    schema: Mapping[str, Any], features: Sequence[Mapping[str, str]], label: str
) -> Encoder:
    """Return the encoder of a model from its schema.json, so that another one can go on from it.

    Raises StepFailed ("columns-changed") when the dataset has other features by now.
    """
    theirs = {item["name"]: item for item in schema["inputs"]}
    classes = schema["outputs"][0].get("classes", ())
    if [f["name"] for f in features] != list(theirs):
        raise StepFailed(
            "the parent was trained on other features than the dataset has now",
            code="columns-changed",
            hint="take warm_start out for one training, or bring the features back",
            details={"parent": list(theirs), "dataset": [f["name"] for f in features]},
        )
    return Encoder(
        features=tuple(dict(feature) for feature in features),
        label=label,
        vocabularies={
            name: tuple(item["categories"]) for name, item in theirs.items() if "categories" in item
        },
        classes=tuple(classes),
    )


def _vocabulary(column: pa.ChunkedArray, dtype: str, min_rows: int) -> tuple[Any, ...]:
    import pyarrow.compute as pc

    counts = pc.value_counts(_comparable(column, dtype))
    pairs = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    # "" is how a missing text reaches the served model, so it cannot be a category of its own
    return tuple(sorted(v for v, n in pairs if v is not None and v != "" and n >= min_rows))


def _comparable(column: pa.ChunkedArray, dtype: str) -> Any:
    import pyarrow as pa

    # numbers meet their category as the float32 that the served model takes
    return column.cast(pa.string() if dtype == "string" else pa.float32(), safe=False)
