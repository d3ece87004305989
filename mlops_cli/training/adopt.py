"""ONNX graphs that others made: brought to one output, and to inputs that are our columns."""

from __future__ import annotations

from typing import Any

from mlops_cli.errors import StepFailed
from mlops_cli.training import graphs
from mlops_cli.training.encoder import Encoder


def narrow(inner: Any, task: str) -> None:
    """Leave `inner` with one output, called `output`, in the shape that the task has.

    Of several the last is taken (a classifier gives labels, then probabilities); of two columns,
    in a binary task, the second. Raises StepFailed ("wrong-shape") for what is no float tensor.
    """
    from onnx import TensorProto, helper

    graph = inner.graph
    last = graph.output[-1]
    if last.type.WhichOneof("value") != "tensor_type" or last.type.tensor_type.elem_type != 1:
        raise StepFailed(
            f"the output {last.name!r} of the ONNX file is no tensor of float32",
            code="wrong-shape",
            hint="with skl2onnx: options={'zipmap': False}",
        )
    shape = last.type.tensor_type.shape.dim
    taken = last.name
    if task == "binary" and len(shape) == 2 and shape[1].dim_value == 2:
        graph.initializer.append(helper.make_tensor("at/1", TensorProto.INT64, [1], [1]))
        graph.node.append(helper.make_node("Gather", [taken, "at/1"], ["column/1"], axis=1))
        taken = "column/1"
    if task != "multiclass" and len(shape) == 2:
        graph.initializer.append(helper.make_tensor("flat", TensorProto.INT64, [1], [-1]))
        graph.node.append(helper.make_node("Reshape", [taken, "flat"], ["output"]))
    else:
        graph.node.append(helper.make_node("Identity", [taken], ["output"]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("output", TensorProto.FLOAT, None))


def adopted(data: bytes, encoder: Encoder, *, task: str) -> bytes:
    """Return an ONNX file of another maker with our inputs and output.

    Its inputs are columns by name, each [batch]; or one matrix of all features in their order,
    where no text is among them. Raises StepFailed ("not-a-model", "wrong-inputs", "wrong-shape").
    """
    import onnx

    try:
        model = onnx.load_from_string(data)
        onnx.checker.check_model(model, full_check=True)
    except Exception as exc:  # protobuf, checker and shape inference each have their own
        raise StepFailed(
            f"model.onnx is not a sound ONNX file: {str(exc).strip().splitlines()[0]}",
            code="not-a-model",
            hint="keep the weights inside the file, and save it with onnx.save or its exporter",
        ) from exc
    weights = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in weights]
    names = [feature["name"] for feature in encoder.features]
    ranks = {item.name: len(item.type.tensor_type.shape.dim) for item in inputs}
    narrow(model, task)
    if all(name in names and rank == 1 for name, rank in ranks.items()):
        return _renamed(model, graphs.output_name(task))
    text = any(feature["dtype"] == "string" for feature in encoder.features)
    dims = inputs[0].type.tensor_type.shape.dim
    if len(inputs) == 1 and not text and len(dims) == 2 and dims[1].dim_value in (0, len(names)):
        _rename_input(model, inputs[0].name, "matrix")
        return graphs.with_columns(model, encoder, task=task)
    raise StepFailed(
        f"model.onnx takes {', '.join(ranks)}, and the dataset has {', '.join(names)}",
        code="wrong-inputs",
        hint="give it one input a column, each [batch]; or, without text, one matrix of them all",
    )


def _renamed(model: Any, output: str) -> bytes:
    from onnx import helper

    model.graph.node.append(helper.make_node("Identity", ["output"], [output]))
    model.graph.output[0].name = output
    return graphs.serialised(model)


def _rename_input(model: Any, old: str, new: str) -> None:
    for item in model.graph.input:
        if item.name == old:
            item.name = new
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
