"""An ONNX graph behind named columns: one input each, numbers joined, categories looked up.

Columns become `numeric` and `codes` as `encoder` makes them, or `matrix`, which is both of them
side by side. Node metadata and doc strings carry source paths, so they go; what is left is
serialised deterministically: the same model gives the same bytes.
"""

from __future__ import annotations

from typing import Any

from mlops_cli.errors import ConfigError, StepFailed
from mlops_cli.training.encoder import UNKNOWN, Encoder

ML_OPSET = 3
INNER = "net/"  # before every name of the inner graph, so that no column can meet one
OUTPUTS = {"binary": "probability", "multiclass": "probabilities", "regression": "value"}


def output_name(task: str) -> str:
    """Return the name of the one output of a model for `task`."""
    return OUTPUTS.get(task, "output")


def with_columns(inner: Any, encoder: Encoder, *, task: str) -> bytes:
    """Return the ONNX file of the model `inner`, its inputs the columns of `encoder`, each [batch].

    `inner` takes any of `numeric`, `codes`, `matrix` and gives `output`; it is changed on the way.
    Numbers are float32, NaN where missing; categories of text are strings. The output is float32
    [batch], or [batch, classes] of a multiclass model. Raises ConfigError ("reserved-column").
    """
    import onnx

    output = output_name(task)
    if output in (*encoder.numeric, *encoder.categorical):
        raise ConfigError(
            f"a feature cannot be called {output!r}: that is the name of the model's output",
            code="reserved-column",
            hint="rename the column in data or features",
        )
    settle(inner)
    model = _with_columns(inner, encoder, output, _shape(task, encoder))
    onnx.checker.check_model(model, full_check=True)
    return serialised(model)


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
        return _renamed(model, output_name(task))
    text = any(feature["dtype"] == "string" for feature in encoder.features)
    dims = inputs[0].type.tensor_type.shape.dim
    if len(inputs) == 1 and not text and len(dims) == 2 and dims[1].dim_value in (0, len(names)):
        _rename_input(model, inputs[0].name, "matrix")
        return with_columns(model, encoder, task=task)
    raise StepFailed(
        f"model.onnx takes {', '.join(ranks)}, and the dataset has {', '.join(names)}",
        code="wrong-inputs",
        hint="give it one input a column, each [batch]; or, without text, one matrix of them all",
    )


def _renamed(model: Any, output: str) -> bytes:
    from onnx import helper

    model.graph.node.append(helper.make_node("Identity", ["output"], [output]))
    model.graph.output[0].name = output
    return serialised(model)


def _rename_input(model: Any, old: str, new: str) -> None:
    for item in model.graph.input:
        if item.name == old:
            item.name = new
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]


def serialised(model: Any) -> bytes:
    """Return the bytes of a model, the same every time."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _shape(task: str, encoder: Encoder) -> list[str | int]:
    return ["batch", len(encoder.classes)] if task == "multiclass" else ["batch"]


def _with_columns(inner: Any, encoder: Encoder, output: str, shape: list[str | int]) -> Any:
    from onnx import TensorProto, helper

    nodes: list[Any] = []
    wanted = [*encoder.numeric, *encoder.categorical]
    kinds = {
        name: TensorProto.STRING
        if name in encoder.categorical and encoder.dtype(name) == "string"
        else TensorProto.FLOAT
        for name in wanted
    }
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    both = (*encoder.numeric, *encoder.categorical)
    parts = (("numeric", encoder.numeric), ("codes", encoder.categorical), ("matrix", both))
    for part, names in parts:
        # torch drops an input that the network does not read
        if INNER + part not in {item.name for item in inner.graph.input}:
            continue
        if not names:
            nodes += _nothing(INNER + part, of=wanted[0], codes=part == "codes")
            continue
        for name in names:
            source = name
            if part != "numeric" and name in encoder.categorical:
                source = f"code/{name}"
                nodes.append(_lookup(name, encoder, text=kinds[name] == TensorProto.STRING))
            if part == "matrix" and source != name:
                nodes.append(
                    helper.make_node("Cast", [source], [f"float/{name}"], to=TensorProto.FLOAT)
                )
                source = f"float/{name}"
            nodes.append(helper.make_node("Unsqueeze", [source, "axis"], [f"column/{name}"]))
        columns = [f"column/{name}" for name in names]
        nodes.append(helper.make_node("Concat", columns, [INNER + part], axis=1))
    last = helper.make_node("Identity", [INNER + "output"], [output])
    opsets = {each.domain: each.version for each in inner.opset_import} | {"ai.onnx.ml": ML_OPSET}
    order = [feature["name"] for feature in encoder.features]
    graph = helper.make_graph(
        [*nodes, *inner.graph.node, last],
        "model",
        [helper.make_tensor_value_info(name, kinds[name], ["batch"]) for name in order],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [axis, *inner.graph.initializer],
    )
    model = helper.make_model(
        graph,
        producer_name="mlops",
        functions=list(inner.functions),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in opsets.items()],
    )
    model.ir_version = inner.ir_version
    return model


def _lookup(name: str, encoder: Encoder, *, text: bool) -> Any:
    from onnx import helper

    keys = list(encoder.vocabularies[name])
    codes = list(range(1, len(keys) + 1))
    if not keys:  # the operator wants one pair at least
        keys, codes = ["" if text else float("nan")], [UNKNOWN]
    return helper.make_node(
        "LabelEncoder",
        [name],
        [f"code/{name}"],
        domain="ai.onnx.ml",
        default_int64=UNKNOWN,
        values_int64s=codes,
        **{"keys_strings" if text else "keys_floats": keys},
    )


def _nothing(name: str, *, of: str, codes: bool) -> list[Any]:
    """Return nodes that give `name` the shape [batch, 0], for a model without such columns."""
    from onnx import TensorProto, helper

    zero = helper.make_tensor("zero", TensorProto.INT64, [1], [0])
    kind = TensorProto.INT64 if codes else TensorProto.FLOAT
    return [
        helper.make_node("Shape", [of], [name + "/rows"]),
        helper.make_node("Constant", [], [name + "/none"], value=zero),
        helper.make_node("Concat", [name + "/rows", name + "/none"], [name + "/shape"], axis=0),
        helper.make_node(
            "ConstantOfShape",
            [name + "/shape"],
            [name],
            value=helper.make_tensor("fill", kind, [1], [0]),
        ),
    ]


def settle(model: Any) -> None:
    """Put INNER before every name; drop metadata and doc strings, which differ by machine."""
    for function in model.functions:  # its names are its own
        function.doc_string = ""
        del function.metadata_props[:]
        for node in function.node:
            node.doc_string = ""
            del node.metadata_props[:]
    _settle_graph(model.graph)


def _settle_graph(graph: Any) -> None:
    del graph.value_info[:]
    for item in (graph, *graph.input, *graph.output, *graph.initializer):
        item.doc_string = ""
        item.name = INNER + item.name
        del item.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
        node.name = INNER + node.name if node.name else ""
        del node.metadata_props[:]
        for names in (node.input, node.output):
            names[:] = [INNER + name if name else "" for name in names]  # "" is an input left out
        for attribute in node.attribute:  # the branches of If, the body of Loop and Scan
            attribute.doc_string = ""
            if attribute.HasField("g"):
                _settle_graph(attribute.g)
            for inner in attribute.graphs:
                _settle_graph(inner)
