"""The ONNX door: a trained network becomes one file that takes named columns and is the model.

Two files make it. `graph` is torch's own export of forward(numeric, codes); in front of it stand
the columns: one input each, numbers joined into `numeric`, categories looked up (ai.onnx.ml
LabelEncoder) and joined into `codes`. Node metadata and doc strings carry source paths, so they
go; what is left is serialised deterministically: the same network gives the same bytes.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError, MissingExtra, StepFailed
from mlops_cli.training.encoder import UNKNOWN, Encoder

if TYPE_CHECKING:
    import pyarrow as pa

ML_OPSET = 3
INNER = "net/"  # before every name of torch's graph, so that no column can meet one
OUTPUTS = {"binary": "probability", "regression": "value"}


def output_name(task: str) -> str:
    """Return the name of the one output of a model for `task`."""
    return OUTPUTS.get(task, "output")


def export(module: Any, encoder: Encoder, sample: pa.Table, *, task: str) -> bytes:
    """Return `module` as an ONNX file whose inputs are the columns of `encoder`, each [batch].

    Numbers are float32, NaN where missing; categories of text are strings. The output is float32
    [batch]. `sample` holds a few rows to trace with.
    Raises StepFailed ("not-exportable") and ConfigError ("reserved-column").
    """
    import onnx

    output = output_name(task)
    if output in (*encoder.numeric, *encoder.categorical):
        raise ConfigError(
            f"a feature cannot be called {output!r}: that is the name of the model's output",
            code="reserved-column",
            hint="rename the column in data or features",
        )
    inner = _traced(module, encoder, sample)
    _settle(inner)
    model = _with_columns(inner, encoder, output)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


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


def _with_columns(inner: Any, encoder: Encoder, output: str) -> Any:
    """Return the model `inner` with the columns of `encoder` in front and `output` behind."""
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
    for part, names in (("numeric", encoder.numeric), ("codes", encoder.categorical)):
        # torch drops an input that the network does not read
        if INNER + part not in {item.name for item in inner.graph.input}:
            continue
        if not names:
            nodes += _nothing(INNER + part, of=wanted[0], codes=part == "codes")
            continue
        for name in names:
            source = name
            if part == "codes":
                source = f"code/{name}"
                nodes.append(_lookup(name, encoder, text=kinds[name] == TensorProto.STRING))
            nodes.append(helper.make_node("Unsqueeze", [source, "axis"], [f"column/{name}"]))
        columns = [f"column/{name}" for name in names]
        nodes.append(helper.make_node("Concat", columns, [INNER + part], axis=1))
    last = helper.make_node("Identity", [INNER + "output"], [output])
    order = [feature["name"] for feature in encoder.features]
    graph = helper.make_graph(
        [*nodes, *inner.graph.node, last],
        "model",
        [helper.make_tensor_value_info(name, kinds[name], ["batch"]) for name in order],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch"])],
        [axis, *inner.graph.initializer],
    )
    model = helper.make_model(
        graph,
        producer_name="mlops",
        functions=list(inner.functions),
        opset_imports=[*inner.opset_import, helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
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


def _settle(model: Any) -> None:
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
        node.name = INNER + node.name
        del node.metadata_props[:]
        for names in (node.input, node.output):
            names[:] = [INNER + name if name else "" for name in names]  # "" is an input left out
        for attribute in node.attribute:  # the branches of If, the body of Loop and Scan
            attribute.doc_string = ""
            if attribute.HasField("g"):
                _settle_graph(attribute.g)
            for inner in attribute.graphs:
                _settle_graph(inner)
