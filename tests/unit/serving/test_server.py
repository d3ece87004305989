"""The real server, asked by the clients that people use."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from serving_world import ROW, expected, rows

triton = pytest.importorskip("tritonclient.http")


@pytest.fixture
def client(server: str) -> Iterator[Any]:
    made = triton.InferenceServerClient(url=urlsplit(server).netloc)
    yield made
    made.close()


def infer_inputs(table: Any, *, binary: bool, column: bool) -> list[Any]:
    arrays = {
        "distance": ("FP32", table["distance"].to_numpy()),
        "wind": ("FP32", table["wind"].to_numpy()),
        "carrier": ("BYTES", np.array([c or "" for c in table["carrier"].to_pylist()], object)),
        "stops": ("INT64", table["stops"].to_numpy()),
    }
    made = []
    for name, (kind, flat) in arrays.items():
        array = flat.reshape(-1, 1) if column else flat
        tensor = triton.InferInput(name, list(array.shape), kind)
        tensor.set_data_from_numpy(array, binary_data=binary)
        made.append(tensor)
    return made


@pytest.mark.parametrize("column", [False, True], ids=["[n]", "[n,1]"])
@pytest.mark.parametrize("binary", [False, True], ids=["json", "binary"])
def test_tritonclient_gets_the_numbers_of_onnxruntime(
    client: Any, binary: bool, column: bool
) -> None:
    table = rows(200, seed=3)
    inputs = infer_inputs(table, binary=binary, column=column)
    for outputs in (None, [triton.InferRequestedOutput("probability", binary_data=binary)]):
        result = client.infer("delay", inputs, outputs=outputs, request_id="r1")
        assert np.array_equal(result.as_numpy("probability"), expected(table))
        assert result.get_response()["model_version"] == "1"
        assert result.get_response()["id"] == "r1"


def test_tritonclient_finds_server_and_model_in_health(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("delay")
    assert client.is_model_ready("delay", "1")
    assert not client.is_model_ready("delay", "2")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert client.get_model_metadata("delay")["platform"] == "onnxruntime_onnx"


def test_a_wrong_column_name_gets_400_and_no_number(client: Any) -> None:
    inputs = infer_inputs(rows(2), binary=True, column=False)
    inputs[0] = triton.InferInput("distanse", [2], "FP32")
    inputs[0].set_data_from_numpy(np.zeros(2, "float32"))
    with pytest.raises(triton.InferenceServerException, match="unknown input 'distanse'"):
        client.infer("delay", inputs)


def test_a_wrong_dtype_in_binary_gets_400(client: Any) -> None:
    inputs = infer_inputs(rows(2), binary=True, column=False)
    inputs[0] = triton.InferInput("distance", [2], "FP64")
    inputs[0].set_data_from_numpy(np.zeros(2, "float64"))
    with pytest.raises(triton.InferenceServerException, match="is FP32, not FP64"):
        client.infer("delay", inputs)


def test_a_missing_number_in_binary_gets_400_where_none_may_be(client: Any) -> None:
    inputs = infer_inputs(rows(2), binary=True, column=False)
    inputs[0].set_data_from_numpy(np.array([1, np.nan], "float32"))
    with pytest.raises(triton.InferenceServerException, match="null in row 1"):
        client.infer("delay", inputs)


def ask(server: str, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(server).netloc, timeout=20)
    try:
        connection.request(method, path, body, **options)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_body_over_the_limit_is_413_whether_its_length_is_told_or_not(server: str) -> None:
    large = b" " * ((256 << 10) + 1)
    assert ask(server, "POST", "/predict", large)[0] == 413
    pieces = iter([large[:100_000], large[100_000:200_000], large[200_000:]])
    assert ask(server, "POST", "/predict", pieces, encode_chunked=True)[0] == 413


def test_a_large_request_is_answered_like_a_small_one(server: str) -> None:
    table = rows(1000, seed=5)
    body = json.dumps({"rows": table.to_pylist()})
    assert len(body) > 64 << 10
    status, answer = ask(server, "POST", "/predict", body)
    assert status == 200, answer
    assert np.array_equal(np.array(json.loads(answer)["predictions"], "f4"), expected(table))


def test_metrics_are_what_prometheus_reads(server: str) -> None:
    ask(server, "POST", "/predict", json.dumps({"rows": [ROW]}))
    status, text = ask(server, "GET", "/metrics")
    lines = text.decode().splitlines()
    assert status == 200
    assert any(line.startswith('mlops_model_info{model="delay",version="1"') for line in lines)
    counted = [line for line in lines if line.startswith("mlops_predictions_total")]
    assert float(counted[0].rpartition(" ")[2]) >= 1
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    assert all(line.startswith("#") or len(line.rsplit(" ", 1)) == 2 for line in lines)
