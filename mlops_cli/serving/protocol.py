"""The Open Inference Protocol v2: tensors as JSON, and as raw bytes behind the JSON.

The binary tensor extension: the header `Inference-Header-Content-Length` tells where the JSON
ends; then come the tensors with `binary_data_size`, in the order in which the JSON names them.
https://github.com/kserve/open-inference-protocol
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mlops_cli.serving import call as calls
from mlops_cli.serving.call import Call
from mlops_cli.serving.schema import Column, Refused, Schema, check_names
from mlops_cli.serving.tensors import Array, from_bytes, from_values, to_bytes

LENGTH_HEADER = "inference-header-content-length"


def parse(
    body: bytes, json_length: str | None, schema: Schema, *, most: int, new_id: str, now: int
) -> Call:
    """Return the call in `body`; `json_length` is the header that says where the JSON ends."""
    end = _end(body, json_length)
    view = memoryview(body)
    request = calls.load_json(view[:end])
    tensors = request.get("inputs")
    if not isinstance(tensors, list):
        raise Refused("'inputs' is a list of tensors")
    columns: dict[str, Array] = {}
    rows: int | None = None
    known = {column.name: column for column in schema.inputs}
    for tensor in tensors:
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str):
            raise Refused("every input is an object with a name")
        if name in columns:
            raise Refused(f"input {name!r} is given twice")
        column = known.get(name)
        if column is None:
            check_names(schema, {name: None})
            raise Refused(f"unknown input {name!r}")
        count = _count(tensor, column, most)
        if rows is not None and count != rows:
            raise Refused(f"input {name!r} has {count} rows where the others have {rows}")
        rows = count
        size = _parameters(tensor).get("binary_data_size")
        if size is None:
            columns[name] = _listed(tensor, column, count)
        else:
            if not isinstance(size, int) or size < 0 or end + size > len(body) or "data" in tensor:
                raise Refused(f"binary_data_size of input {name!r} does not fit the body")
            columns[name] = from_bytes(column, view[end : end + size], count)
            end += size
    check_names(schema, columns)
    if end != len(body):
        raise Refused(f"{len(body) - end} bytes after the last tensor")
    assert rows is not None
    parameters = _parameters(request)
    request_id = calls.check_id(request["id"]) if request.get("id") else new_id
    when = calls.event_time(parameters.get("time"), now=now)
    route = parameters.get("route")
    return Call(
        request_id,
        columns,
        rows,
        calls.row_ids(request_id, rows),
        [when] * rows,
        calls.check_id(route) if route is not None else None,
        _outputs(request, schema),
        bool(parameters.get("binary_data_output", False)),
    )


def answer(
    call: Call, name: str, version: int, schema: Schema, outputs: Mapping[str, Array]
) -> tuple[bytes, int | None]:
    """Return the body that answers `call`, and the length of its JSON when tensors follow it."""
    described: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for column in schema.outputs:
        if call.outputs and column.name not in call.outputs:
            continue
        array = outputs[column.name]
        item: dict[str, Any] = {
            "name": column.name,
            "datatype": column.dtype,
            "shape": list(array.shape),
        }
        if call.outputs.get(column.name, call.binary):
            blob = to_bytes(array)
            item["parameters"] = {"binary_data_size": len(blob)}
            blobs.append(blob)
        else:
            item["data"] = array.ravel().tolist()
        described.append(item)
    head = orjson.dumps(
        {
            "model_name": name,
            "model_version": str(version),
            "id": call.request_id,
            "outputs": described,
        }
    )
    return (head + b"".join(blobs), len(head)) if blobs else (head, None)


def metadata(name: str, versions: list[int], schema: Schema) -> dict[str, Any]:
    """Return what `/v2/models/<name>` answers."""
    return {
        "name": name,
        "versions": [str(version) for version in versions],
        "platform": "onnxruntime_onnx",
        "inputs": [_described(column) for column in schema.inputs],
        "outputs": [_described(column) for column in schema.outputs],
    }


def _described(column: Column) -> dict[str, Any]:
    shape = [-1, len(column.classes)] if column.classes else [-1]
    said: dict[str, Any] = {"name": column.name, "datatype": column.dtype, "shape": shape}
    parameters: dict[str, Any] = {"kind": column.kind} if column.kind else {}
    if column.classes:
        parameters["classes"] = list(column.classes)
    if column.nullable:
        parameters["nullable"] = True
    return {**said, "parameters": parameters} if parameters else said


def _end(body: bytes, json_length: str | None) -> int:
    if json_length is None:
        return len(body)
    if not json_length.isdecimal() or int(json_length) > len(body):
        raise Refused(f"{LENGTH_HEADER} is no length within the body")
    return int(json_length)


def _parameters(item: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = item.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise Refused("'parameters' is an object")
    for name in parameters:
        if name.startswith("shared_memory") or name == "classification":
            raise Refused(f"the parameter {name!r} is not supported")
    return parameters


def _count(tensor: Mapping[str, Any], column: Column, most: int) -> int:
    if tensor.get("datatype") != column.dtype:
        raise Refused(
            f"input {column.name!r} is {column.dtype}, not {str(tensor.get('datatype'))[:20]}"
        )
    shape = tensor.get("shape")
    sound = isinstance(shape, list) and all(type(size) is int for size in shape)
    if not sound or len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1):  # type: ignore[arg-type,index]
        raise Refused(f"input {column.name!r} has the shape [rows] or [rows, 1], not {shape!r:.60}")
    count: int = shape[0]  # type: ignore[index]
    if count < 1:
        raise Refused(f"input {column.name!r} has no rows")
    if count > most:
        raise Refused(f"{count} rows in one request; the limit is {most}")
    return count


def _listed(tensor: Mapping[str, Any], column: Column, count: int) -> Array:
    data = tensor.get("data")
    if not isinstance(data, list):
        raise Refused(f"input {column.name!r} has no 'data' list")
    if data and all(type(item) is list and len(item) == 1 for item in data):
        data = [item[0] for item in data]
    if len(data) != count:
        raise Refused(
            f"input {column.name!r} holds {len(data)} values where its shape says {count}"
        )
    return from_values(column, data)


def _outputs(request: Mapping[str, Any], schema: Schema) -> dict[str, bool]:
    asked: dict[str, bool] = {}
    outputs = request.get("outputs") or []
    if not isinstance(outputs, list):
        raise Refused("'outputs' is a list")
    parameters = request.get("parameters") or {}
    default = bool(parameters.get("binary_data_output", False))
    for output in outputs:
        name = output.get("name") if isinstance(output, dict) else None
        if name in asked or all(column.name != name for column in schema.outputs):
            known = ", ".join(column.name for column in schema.outputs)
            raise Refused(f"unknown or repeated output {name!r:.60}; the model gives {known}")
        asked[str(name)] = bool(_parameters(output).get("binary_data", default))
    return asked
