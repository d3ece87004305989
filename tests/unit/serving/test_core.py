"""A request that is wrong in any way gets an error, never a number."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving_world import ROW, expected, load, rows

from mlops_cli.serving.core import Core, Entry, Request, Response, handle
from mlops_cli.serving.metrics import Counters
from mlops_cli.serving.router import Router, Variant
from mlops_cli.serving.schema import Column, Refused
from mlops_cli.serving.tensors import from_values


class Served:
    """A core without a network, and what it would have logged."""

    def __init__(self, folder: Path) -> None:
        self.logged: list[Entry] = []
        ids = (f"id{n}" for n in itertools.count())
        champion = Variant("champion", load(folder))
        self.core = Core(
            Counters(),
            self.logged.append,
            new_id=lambda: next(ids),
            now=lambda: 1_000_000,
            most_rows=100,
            most_bytes=100_000,
            router=Router("prod", "g1", "2013-01-01T00:00:00Z", champion),
        )

    def ask(
        self, path: str, body: Any = None, method: str | None = None, **headers: str
    ) -> Response:
        data = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        verb = method or ("GET" if body is None else "POST")
        return handle(self.core, Request(verb, path, named.get, data))

    def refusal(self, path: str, body: Any, status: int = 400) -> str:
        response = self.ask(path, body)
        value = json.loads(response.body)
        assert (response.status, list(value)) == (status, ["error"]), value
        assert not self.logged
        return str(value["error"])


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundle")


@pytest.fixture
def served(model_folder: Path) -> Served:
    return Served(model_folder)


def tensors(**changes: Any) -> dict[str, Any]:
    """Return a sound infer request of two rows, with some inputs replaced or (None) left out."""
    sound: dict[str, Any] = {
        "distance": {"datatype": "FP32", "shape": [2], "data": [1.5, 2]},
        "wind": {"datatype": "FP32", "shape": [2, 1], "data": [0.25, None]},
        "carrier": {"datatype": "BYTES", "shape": [2], "data": ["UA", "AA"]},
        "stops": {"datatype": "INT64", "shape": [2], "data": [1, -1]},
    }
    merged = {name: {**sound.get(name, {}), **(changes.get(name) or {})} for name in
              {**sound, **changes} if changes.get(name, {}) is not None}  # fmt: skip
    return {"inputs": [{"name": name, **tensor} for name, tensor in merged.items()]}


INFER = "/v2/models/delay/infer"


def test_rows_get_the_numbers_of_onnxruntime(served: Served) -> None:
    table = rows(50)
    answer = json.loads(served.ask("/predict", {"rows": table.to_pylist()}).body)
    assert np.array_equal(np.array(answer["predictions"], "float32"), expected(table))
    assert (answer["model"], answer["version"]) == ("delay", 1)


def test_tensors_get_the_numbers_of_onnxruntime(served: Served) -> None:
    table = rows(50, seed=1)
    data = {name: table[name].to_pylist() for name in table.column_names}
    request = tensors(**{n: {"shape": [50], "data": values} for n, values in data.items()})
    answer = json.loads(served.ask(INFER, request).body)
    assert answer["model_version"] == "1"
    (output,) = answer["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("probability", "FP32", [50])
    assert np.array_equal(np.array(output["data"], "float32"), expected(table))


def test_row_ids_and_event_times_reach_the_log(served: Served) -> None:
    first = {**ROW, "request_id": "a", "time": "2013-01-31T10:05:00Z"}
    answer = served.ask("/predict", {"rows": [first, {**ROW, "request_id": "b"}]})
    assert json.loads(answer.body)["request_ids"] == ["a", "b"]
    (entry,) = served.logged
    assert entry.call.ids == ["a", "b"]
    assert entry.call.times == [1359626700_000000, 1_000_000]


def test_an_id_for_the_whole_request_gives_every_row_one(served: Served) -> None:
    body = {"rows": [ROW, ROW], "request_id": "x", "time": "2013-01-31T05:05:00-05:00"}
    answer = json.loads(served.ask("/predict", body).body)
    assert (answer["request_id"], answer["request_ids"]) == ("x", ["x/0", "x/1"])
    assert served.logged[0].call.times == [1359626700_000000] * 2


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"distanse": 1.0}, "unknown input 'distanse'"),
        ({"distance": None}, "null"),
        ({"distance": "1.5"}, "takes a number"),
        ({"distance": True}, "takes a number"),
        ({"distance": 1e39}, "not finite"),
        ({"carrier": 3}, "takes a string"),
        ({"stops": 1.0}, "takes an integer"),
        ({"stops": None}, "null"),
        ({"stops": 2**63}, "does not fit INT64"),
        ({"stops": [1]}, "a list"),
    ],
)
def test_a_wrong_value_in_a_row_is_refused(served: Served, row: dict[str, Any], said: str) -> None:
    assert said in served.refusal("/predict", {"rows": [{**ROW, **row}]})


def test_a_missing_column_is_refused_by_name(served: Served) -> None:
    row = {name: value for name, value in ROW.items() if name != "wind"}
    assert "row 1: input 'wind' is missing" in served.refusal("/predict", {"rows": [ROW, row]})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"rows"',
        b"{}",
        b"\xff\xfe",
        b'{"rows":[]}',
        b'{"rows":{}}',
        b'{"rows":[1]}',
        b'{"rows":[null]}',
        b'{"row":[{}]}',
        b'{"rows":[{"distance":1}],"rows":[{"distance":1}]}',
    ],
)
def test_a_body_that_is_no_request_is_refused(served: Served, body: bytes) -> None:
    served.refusal("/predict", body)


def test_a_name_given_twice_in_a_row_is_refused(served: Served) -> None:
    text = json.dumps({"rows": [ROW]}).replace('"distance": 1.5', '"distance": 1.5, "distance": 9')
    assert "'distance' is given twice" in served.refusal("/predict", text.encode())


def test_nan_from_python_clients_is_a_missing_value(served: Served) -> None:
    text = json.dumps({"rows": [{**ROW, "wind": float("nan")}]})
    answer = json.loads(served.ask("/predict", text.encode()).body)
    null = json.loads(served.ask("/predict", {"rows": [{**ROW, "wind": None}]}).body)
    assert answer["predictions"] == null["predictions"]
    served.logged.clear()
    spoiled = json.dumps({"rows": [{**ROW, "distance": float("nan")}]})
    assert "null" in served.refusal("/predict", spoiled.encode())


def test_escaped_quotes_and_unicode_are_not_taken_for_duplicates(served: Served) -> None:
    body = b'{"rows":[{"distance":1,"wind":1,"carrier":"a\\u0022b\\"c","stops":1}]}'
    assert served.ask("/predict", body).status == 200


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wind": None}, "'wind' is missing"),
        ({"wnd": {"datatype": "FP32", "shape": [2], "data": [1, 2]}}, "unknown input 'wnd'"),
        ({"distance": {"datatype": "FP64"}}, "is FP32, not FP64"),
        ({"distance": {"datatype": None}}, "is FP32"),
        ({"distance": {"shape": [1, 2]}}, "has the shape [rows]"),
        ({"distance": {"shape": [True]}}, "has the shape [rows]"),
        ({"distance": {"shape": 2}}, "has the shape [rows]"),
        ({"distance": {"shape": [-1]}}, "has no rows"),
        ({"distance": {"shape": [3], "data": [1, 2, 3]}}, "rows where the others have"),
        ({"distance": {"data": [1.0]}}, "holds 1 values where its shape says 2"),
        ({"distance": {"data": [1.0, None]}}, "null in row 1"),
        ({"distance": {"data": [1.0, "2"]}}, "takes a number"),
        ({"distance": {"data": "ab"}}, "no 'data' list"),
        ({"stops": {"data": [1, 2.5]}}, "takes an integer"),
        ({"carrier": {"data": ["a", 1]}}, "takes a string"),
        ({"carrier": {"parameters": {"shared_memory_region": "x"}}}, "not supported"),
        ({"carrier": {"parameters": {"binary_data_size": 10}}}, "does not fit the body"),
    ],
)
def test_a_wrong_tensor_is_refused(served: Served, changes: dict[str, Any], said: str) -> None:
    assert said in served.refusal(INFER, tensors(**changes))


def test_an_input_given_twice_is_refused(served: Served) -> None:
    request = tensors()
    request["inputs"].append(request["inputs"][0])
    assert "given twice" in served.refusal(INFER, request)


def test_an_unknown_output_is_refused(served: Served) -> None:
    assert "unknown" in served.refusal(INFER, {**tensors(), "outputs": [{"name": "label"}]})


def test_nested_data_of_the_shape_rows_by_one_is_accepted(served: Served) -> None:
    request = tensors(distance={"shape": [2, 1], "data": [[1.5], [2]]})
    nested = served.ask(INFER, {**request, "id": "x"})
    assert nested.body == served.ask(INFER, {**tensors(), "id": "x"}).body


@pytest.mark.parametrize("length", ["x", "-1", "100000", ""])
def test_a_wrong_length_of_the_json_is_refused(served: Served, length: str) -> None:
    response = served.ask(INFER, tensors(), inference_header_content_length=length)
    assert response.status == 400
    assert not served.logged


def test_more_rows_than_the_limit_are_refused(served: Served) -> None:
    assert "the limit is 100" in served.refusal("/predict", {"rows": [ROW] * 101})
    assert "the limit is 100" in served.refusal(INFER, tensors(distance={"shape": [101]}))


def test_a_body_over_the_limit_is_413(served: Served) -> None:
    served.refusal("/predict", b" " * 100_001, 413)


def test_unknown_paths_models_and_versions_are_404(served: Served) -> None:
    for path in ("/v2/models/other/infer", "/v2/models/delay/versions/9/infer", "/predictions"):
        served.refusal(path, tensors(), 404)


def test_a_named_version_answers_for_itself(served: Served) -> None:
    response = served.ask("/v2/models/delay/versions/1/infer", tensors())
    assert json.loads(response.body)["model_version"] == "1"


def test_get_on_predict_is_405(served: Served) -> None:
    assert served.ask("/predict").status == 405


def test_true_and_false_are_numbers_only_for_a_flag() -> None:
    flag = Column("freezing", "FP32", nullable=True, kind="bool")
    assert from_values(flag, [True, False, 1.0])[:3].tolist() == [1.0, 0.0, 1.0]
    assert np.isnan(from_values(flag, [None, True])[0])
    with pytest.raises(Refused, match="takes a number"):
        from_values(Column("distance", "FP32"), [True])


def test_before_a_model_is_loaded_requests_get_503_and_ready_says_no(served: Served) -> None:
    served.core.router = None
    served.refusal("/predict", {"rows": [ROW]}, 503)
    assert served.ask("/v2/health/ready").status == 503
    assert json.loads(served.ask("/v2/health/live").body) == {"live": True}


def test_metadata_describes_every_input(served: Served) -> None:
    said = json.loads(served.ask("/v2/models/delay").body)
    assert [item["name"] for item in said["inputs"]] == ["distance", "wind", "carrier", "stops"]
    assert said["inputs"][1] == {
        "name": "wind",
        "datatype": "FP32",
        "shape": [-1],
        "parameters": {"nullable": True},
    }
    assert said["versions"] == ["1"]


def test_a_fault_of_the_server_is_500_without_a_number(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    def full(entry: Entry) -> None:
        raise RuntimeError("the log is gone")

    served.core.log = full
    assert "failed" in served.refusal("/predict", {"rows": [ROW]}, 500)
    assert "the log is gone" in caplog.text
