"""Columns of an Arrow table as the arrays a model takes: float32 with NaN, text with ""."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def texts(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Return text as an object array [rows]; null becomes "", for a model unknown."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array: npt.NDArray[Any] = pc.fill_null(column.cast(pa.string()), "").to_numpy()
    return array
