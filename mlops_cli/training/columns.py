"""Columns of an Arrow table as the arrays a model takes: float32 with NaN, text with ""."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import StepFailed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


def floats(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    """Return numbers or truth values as float32 [rows]; null becomes NaN."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    values = column.cast(pa.float64(), safe=False).to_numpy()
    return np.ascontiguousarray(values, dtype=np.float32)


def labels(column: pa.ChunkedArray, classes: Sequence[Any]) -> npt.NDArray[Any]:
    """Return a label as float32 [rows]; as int64, the position in `classes`, where there are some.

    Raises StepFailed ("unknown-class").
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not classes:
        return floats(column)
    position = pc.index_in(column, pa.array(classes).cast(column.type))
    if position.null_count:
        strange = column.filter(pc.is_null(position))[0].as_py()
        raise StepFailed(
            f"the label {strange!r} is none of the classes the model knows",
            code="unknown-class",
            hint=f"classes: {', '.join(map(str, classes))}",
        )
    array: npt.NDArray[Any] = position.to_numpy().astype(np.int64)
    return array


def texts(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Return text as an object array [rows]; null becomes "", for a model unknown."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array: npt.NDArray[Any] = pc.fill_null(column.cast(pa.string()), "").to_numpy()
    return array
