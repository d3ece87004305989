"""What a training leaves, whichever framework it used: answers, an ONNX file, weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mlops_cli.errors import StepFailed

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_cli.training.encoder import Encoder
    from mlops_cli.training.metrics import Array


class Trained(Protocol):
    """A model in the hands of its own framework, by which its export is judged."""

    @property
    def parameters(self) -> int | None:
        """Return how many numbers were learnt, None where nobody counts them."""
        ...

    def answers(self, table: pa.Table) -> Array:
        """Return what the framework predicts, float [rows], multiclass [rows, classes]."""
        ...

    def onnx(self, sample: pa.Table) -> bytes:
        """Return the model as an ONNX file that takes the columns of the dataset by name."""
        ...

    def weights(self) -> Mapping[str, Any]:
        """Return arrays from which a later training can go on; none where there are none."""
        ...


def checked(answers: Any, table: pa.Table, encoder: Encoder) -> Array:
    """Return `answers` as float32, if they have the shape and are what the task needs.

    Raises StepFailed ("wrong-shape", "no-probabilities").
    """
    import numpy as np

    shape = tuple(getattr(answers, "shape", ()))
    many = len(encoder.classes)
    wanted = (table.num_rows, many) if many else (table.num_rows,)
    if shape != wanted:
        raise StepFailed(
            f"the model gave the shape {shape} for {table.num_rows} rows, not "
            + (f"[rows, {many}]" if many else "[rows]"),
            code="wrong-shape",
            hint="one probability a class" if many else "end forward with .squeeze(1)",
        )
    array = np.asarray(answers, np.float32)
    if many and np.isfinite(array).all() and not np.allclose(array.sum(1), 1, atol=1e-3):
        raise StepFailed(
            "the answers of the model are no probabilities: those of a row do not add up to 1",
            code="no-probabilities",
            hint="end forward with torch.softmax(…, 1)",
        )
    return array
