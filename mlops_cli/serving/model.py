"""A model that answers: an onnxruntime session behind named columns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli.encode import parse_json
from mlops_cli.errors import IntegrityError, MissingExtra, NotFound
from mlops_cli.registry.modelfile import inspection
from mlops_cli.serving import schema as schemas
from mlops_cli.serving.schema import Schema

if TYPE_CHECKING:
    from mlops_cli.serving.tensors import Array

_ONNX_TYPES = {
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(int64)": "INT64",
    "tensor(int32)": "INT32",
    "tensor(bool)": "BOOL",
    "tensor(string)": "BYTES",
}


@dataclass(frozen=True, slots=True)
class Model:
    """One version of a model, loaded. `digest` is that of model.onnx, `bundle` of its folder."""

    name: str
    version: int
    digest: str
    bundle: str
    schema: Schema
    session: Any
    columnar: frozenset[str]  # inputs that the graph wants as [rows, 1]
    holes: tuple[str, ...]  # string inputs that may be missing


def open_model(
    folder: Path, *, name: str, version: int, digest: str, bundle: str, threads: int = 1
) -> Model:
    """Load the bundle in `folder`, whose model.onnx must have `digest`.

    The session is made from the verified bytes, which name no data outside of them.
    Raises IntegrityError ("damaged-model", "unloadable-model", "schema-mismatch", and those of
    `inspection.confined`), NotFound.
    """
    data = _read(folder / "model.onnx")
    actual = "sha256:" + hashlib.sha256(data).hexdigest()
    if actual != digest:
        raise IntegrityError(
            f"{folder / 'model.onnx'} is not the registered model: its digest is {actual}",
            code="damaged-model",
            hint="remove the folder and deploy again; the cache holds the verified bytes",
            details={"expected": digest, "actual": actual},
        )
    inspection.confined(data, name=f"{name} v{version}")
    path = folder / "schema.json"
    schema = schemas.parse(parse_json(_read(path), source=str(path)), source=str(path))
    session = _session(data, name, threads)
    _check(session, schema, f"{name} v{version}")
    return Model(
        name,
        version,
        digest,
        bundle,
        schema,
        session,
        frozenset(item.name for item in session.get_inputs() if len(item.shape) > 1),
        tuple(c.name for c in schema.inputs if c.dtype == "BYTES" and c.nullable),
    )


def run(model: Model, columns: Mapping[str, Array]) -> dict[str, Array]:
    """Return the outputs by name for `columns`, arrays of shape [rows]; others are left aside."""
    feed = {column.name: columns[column.name] for column in model.schema.inputs}
    for name in model.holes:
        values = feed[name].tolist()
        if None in values:
            feed[name] = _object_array(["" if value is None else value for value in values])
    for name in model.columnar:
        feed[name] = feed[name].reshape(-1, 1)
    names = [column.name for column in model.schema.outputs]
    return dict(zip(names, model.session.run(names, feed), strict=True))


def _object_array(values: list[Any]) -> Array:
    import numpy as np

    return np.array(values, dtype=object)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise NotFound(
            f"the bundle has no {path.name}: {path}",
            code="incomplete-bundle",
            hint="register the model again",
        ) from exc


def _session(data: bytes, name: str, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as exc:
        raise MissingExtra.of("onnxruntime", "serve") from exc
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # onnxruntime has a class of its own for every reason
        raise IntegrityError(
            f"onnxruntime cannot load {name}: {str(exc).splitlines()[0][:300]}",
            code="unloadable-model",
            hint="train and register the model again",
        ) from exc


def _check(session: Any, schema: Schema, label: str) -> None:
    graph = {item.name: _ONNX_TYPES.get(item.type, item.type) for item in session.get_inputs()}
    said = {column.name: column.dtype for column in schema.inputs}
    made = {item.name for item in session.get_outputs()}
    if graph == said and all(column.name in made for column in schema.outputs):
        return
    wrong = sorted(name for name in graph.keys() | said.keys() if graph.get(name) != said.get(name))
    raise IntegrityError(
        f"schema.json of {label} does not describe its model: "
        f"{', '.join(wrong) if wrong else 'an output is missing'}",
        code="schema-mismatch",
        hint="train and register the model again",
        details={"graph": graph, "schema": said},
    )
