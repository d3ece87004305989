"""A model made smaller on request: the smallest weights zero, the others of eight bits.

Both work on the ONNX file, so they do not care which framework made it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_cli.errors import MissingExtra, StepFailed
from mlops_cli.training import graphs


def prune(model: bytes, share: float) -> bytes:
    """Return `model` with the `share` of its weights that are nearest to zero set to zero.

    Weights are float tensors of two dimensions and more, ranked together (Han et al. 2015,
    Learning both Weights and Connections). Raises StepFailed ("nothing-to-compress").
    """
    import numpy as np
    import onnx
    from onnx import numpy_helper

    loaded = onnx.load_from_string(model)
    found = {
        item.name: (item, numpy_helper.to_array(item))
        for item in loaded.graph.initializer
        if item.data_type == onnx.TensorProto.FLOAT and len(item.dims) > 1
    }
    if not found:
        raise _nothing("weights to prune")
    sizes = np.abs(np.concatenate([array.ravel() for _, array in found.values()]))
    limit = np.partition(sizes, at)[at] if (at := int(len(sizes) * share)) else -1.0
    for name, (item, array) in found.items():
        kept = np.where(np.abs(array) < limit, np.float32(0), array)
        item.CopyFrom(numpy_helper.from_array(kept, name))
    return graphs.serialised(loaded)


def quantize(model: bytes) -> bytes:
    """Return `model` with its matrices in eight bits, multiplied as integers.

    Dynamic quantisation of onnxruntime: activations are scaled as they come, so no calibration
    is needed. Raises StepFailed ("nothing-to-compress") when the file would not be smaller.
    """
    try:
        import onnx.inliner
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as exc:
        raise MissingExtra.of(exc.name or "onnxruntime", "torch") from exc
    # a function of its own would hide its matrices from the quantiser
    loaded = onnx.inliner.inline_local_functions(onnx.load_from_string(model))
    with tempfile.TemporaryDirectory() as folder, _quiet():
        small = Path(folder) / "small.onnx"
        quantize_dynamic(loaded, str(small), weight_type=QuantType.QInt8)
        data = graphs.serialised(onnx.load(str(small)))
    if len(data) >= len(model):
        raise _nothing(f"matrices large enough for int8: {len(model):,} bytes became {len(data):,}")
    return data


def compressed(model: bytes, wanted: Mapping[str, Any]) -> bytes | None:
    """Return what `export` in pipeline.yaml asks to make of `model`, None when it asks nothing."""
    share, how = wanted.get("prune", 0.0), wanted.get("quantize")
    if not share and how is None:
        return None
    pruned = prune(model, share) if share else model
    return quantize(pruned) if how else pruned


def zeros(model: bytes) -> float:
    """Return the share of weights that are zero."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    arrays = [
        numpy_helper.to_array(item)
        for item in onnx.load_from_string(model).graph.initializer
        if len(item.dims) > 1
    ]
    total = sum(array.size for array in arrays)
    return sum(int(np.sum(array == 0)) for array in arrays) / total if total else 0.0


def _quiet() -> Any:
    import contextlib
    import logging

    @contextlib.contextmanager
    def silent() -> Any:
        # it advises to pre-process, which for so plain a graph changes nothing
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)

    return silent()


def _nothing(what: str) -> StepFailed:
    return StepFailed(
        f"the model has no {what}",
        code="nothing-to-compress",
        hint="take quantize and prune out of train.NAME.export",
    )
