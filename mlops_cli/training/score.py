"""Scores of an ONNX model for the rows of a table, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_cli.errors import IntegrityError, MissingExtra, NotFound
from mlops_cli.registry.modelfile import inspection
from mlops_cli.training import columns

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

ROWS = 65_536  # scored at a time


def open_model(model: bytes) -> Any:
    """Return an onnxruntime session for `model` on one thread, so that figures repeat.

    Raises MissingExtra, and IntegrityError ("not-a-model") for bytes onnxruntime refuses, and as
    `inspection.confined` for those that it must not see.
    """
    inspection.confined(model, name="the model")
    try:
        import onnxruntime
    except ImportError as exc:
        raise MissingExtra.of("onnxruntime", "torch") from exc
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # onnxruntime has one class an error code and no common one
        raise IntegrityError(
            f"onnxruntime refuses the model: {exc}", code="not-a-model", hint="mlops verify"
        ) from exc


def score(model: bytes | Any, table: pa.Table) -> npt.NDArray[np.float64]:
    """Return the first output of `model` for each row of `table`, float64 [rows] or [rows, k].

    `model` is the bytes of an ONNX file or what `open_model` returned. Columns are found by
    name; null numbers become NaN, null text "". Raises NotFound ("column-missing").
    """
    import numpy as np

    session = open_model(model) if isinstance(model, bytes) else model
    feed: dict[str, Any] = {}
    for wanted in session.get_inputs():
        if wanted.name not in table.column_names:
            raise NotFound(
                f"the rows have no column {wanted.name!r}, which the model asks for",
                code="column-missing",
                hint=f"columns: {', '.join(table.column_names)}",
            )
        text = wanted.type == "tensor(string)"
        feed[wanted.name] = (columns.texts if text else columns.floats)(table[wanted.name])
    parts = [
        session.run(None, {name: array[at : at + ROWS] for name, array in feed.items()})[0]
        for at in range(0, table.num_rows, ROWS)
    ]
    return np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)
