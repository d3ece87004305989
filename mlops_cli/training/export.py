"""A torch module as an ONNX file that takes the columns of the dataset by name."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import MissingExtra, StepFailed
from mlops_cli.training import graphs
from mlops_cli.training.encoder import Encoder

if TYPE_CHECKING:
    import pyarrow as pa


def export(module: Any, encoder: Encoder, sample: pa.Table, *, task: str) -> bytes:
    """Return `module` as an ONNX file; inputs and output are those of `graphs.with_columns`.

    `sample` holds a few rows to trace with. Raises StepFailed ("not-exportable") and ConfigError
    ("reserved-column").
    """
    return graphs.with_columns(_traced(module, encoder, sample), encoder, task=task)


def _traced(module: Any, encoder: Encoder, sample: pa.Table) -> Any:
    try:
        import onnxscript  # noqa: F401  # torch's exporter needs it and says so only by a traceback
        import torch
    except ImportError as exc:
        raise MissingExtra.of(exc.name or "torch", "torch") from exc
    tensors = encoder.tensors(sample.slice(0, 4))
    batch = torch.export.Dim("batch")
    try:
        with _quiet():
            program = torch.onnx.export(
                module.eval(),
                (tensors.numeric, tensors.codes),
                dynamo=True,
                external_data=False,
                dynamic_shapes=({0: batch}, {0: batch}),
                input_names=["numeric", "codes"],
                output_names=["output"],
                verbose=False,
            )
    except Exception as exc:
        cause = str(exc.__cause__ or exc).strip().splitlines() or [type(exc).__name__]
        raise StepFailed(
            f"torch cannot export the model to ONNX: {cause[0]}",
            code="not-exportable",
            hint="forward may not branch on values: use torch.where or torch.cond",
        ) from exc
    return program.model_proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop what the exporter tells about itself; what it says about the model comes through."""
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")

    def tells(record: logging.LogRecord) -> bool:
        return "torchvision is not installed" not in record.getMessage()

    registration.addFilter(tells)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            warnings.filterwarnings("ignore", r".*treespec, LeafSpec", FutureWarning)
            warnings.filterwarnings("ignore", r"# The axis name: batch will not be used")
            yield
    finally:
        registration.removeFilter(tells)
