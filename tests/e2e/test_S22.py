"""Step 22, export: an ONNX file that answers alone, with its inputs, golden rows and figures."""

from __future__ import annotations

import json
from typing import Any

import pytest


def test_the_registered_model_tells_inputs_outputs_metrics_and_parity(demo: Any) -> None:
    payload = demo.mlops("models", "show", "delay@production")["payload"]
    kinds = {column["name"]: column["dtype"] for column in payload["inputs"]}
    assert kinds["origin"] == "BYTES" and kinds["temperature"] == "FP32" and len(kinds) == 21
    assert [column["name"] for column in payload["outputs"]] == ["probability"]
    assert payload["parity"]["passed"] and payload["parity"]["max_abs"] <= 1e-5
    assert payload["golden"]["passed"] and payload["golden"]["rows"] > 0
    assert payload["metrics"]["roc_auc"] > 0.5 and payload["format"] == "onnx"


def test_the_file_alone_gives_the_golden_answers(demo: Any) -> None:
    import numpy as np
    import onnxruntime
    import pyarrow as pa

    folder = demo.root / "out/delay/model"
    model = onnxruntime.InferenceSession(folder / "model.onnx")
    with pa.memory_map(str(folder / "golden.arrow")) as source:
        golden = pa.ipc.open_file(source).read_all()
    feed = {}
    for column in model.get_inputs():
        values = golden[column.name]
        text = column.type == "tensor(string)"
        filled = values.to_pylist() if text else values.cast(pa.float32()).to_pylist()
        feed[column.name] = (
            np.array([value or "" for value in filled], dtype=object)
            if text
            else np.array([np.nan if value is None else value for value in filled], np.float32)
        )
    (answer,) = model.run(["probability"], feed)
    assert answer.tolist() == pytest.approx(golden["probability"].to_pylist(), abs=1e-6)
    schema = json.loads((folder / "schema.json").read_text())
    assert {column["name"] for column in schema["inputs"]} == set(feed)


def test_inspect_shows_inputs_outputs_and_opset(demo: Any) -> None:
    found = demo.mlops("models", "inspect", "delay@production")
    payload = demo.here("models", "show", "delay@production")["payload"]
    assert [(c["name"], c["dtype"]) for c in found["inputs"]] == [
        (c["name"], c["dtype"]) for c in payload["inputs"]
    ]
    assert [c["name"] for c in found["outputs"]] == ["probability"]
    assert found["opset"]["ai.onnx"] >= 17 and found["ir_version"] >= 8
    assert found["problems"] == [] and found["parameters"] > 1000
    assert payload["file"]["opset"] == found["opset"], "the tag keeps what was seen"
    told = demo.said("models", "inspect", "delay@production")
    assert "opset" in told and "probability" in told and "[batch]" in told
