"""An ONNX graph behind named columns: one input each, numbers joined, categories looked up.

Columns become `numeric` and `codes` as `encoder` makes them, or `matrix`, which is both of them
side by side. Node metadata and doc strings carry source paths, so they go; what is left is
serialised deterministically: the same model gives the same bytes.
"""

from __future__ import annotations

from typing import Any

from mlops_cli.errors import ConfigError
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
