"""The train step end to end: user code in, an ONNX file of named columns and its papers out."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_cli.errors import ConfigError, NotFound, StepFailed
from mlops_cli.pipeline.step import Step
from mlops_cli.training import golden, score
from mlops_cli.training.train import TrainStep


def test_the_onnx_file_alone_answers_named_columns_as_the_network_did(world, training):
    folder = world / "out/m/model"
    model = (folder / "model.onnx").read_bytes()
    session = score.open_model(model)
    assert [(item.name, item.type, len(item.shape)) for item in session.get_inputs()] == [
        ("origin", "tensor(string)", 1),
        ("wind", "tensor(float)", 1),
        ("hour", "tensor(float)", 1),
        ("wet", "tensor(float)", 1),
    ]
    assert [item.name for item in session.get_outputs()] == ["probability"]
    stored = (folder / "golden.arrow").read_bytes()
    found = golden.check(model, stored, allowed=1e-6)
    assert found.passed and found.rows > 50
    assert training.facts["parity"]["passed"] and training.facts["parity"]["max_abs"] < 1e-6
    assert training.facts["rows"] == {"train": 600, "validate": 200}
    assert training.metrics["train.loss"] > 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "golden.arrow",
        "model.onnx",
        "profile.json",
        "schema.json",
        "training.json",
    ]


def test_the_schema_tells_types_ranges_categories_and_what_may_be_missing(world, training):
    schema = json.loads((world / "out/m/model/schema.json").read_text())
    assert schema["outputs"] == [{"name": "probability", "dtype": "FP32"}]
    columns = {item["name"]: item for item in schema["inputs"]}
    assert columns["origin"]["dtype"] == "BYTES"
    assert columns["origin"]["categories"] == ["EWR", "JFK", "LGA"]
    assert columns["hour"]["categories"] == [float(hour) for hour in range(24)]
    assert columns["wind"]["dtype"] == "FP32" and columns["wind"]["min"] < columns["wind"]["max"]
    assert all(item["nullable"] for item in columns.values())


def test_missing_and_unknown_values_get_a_number(world, training):
    rows = pa.table(
        {
            "origin": pa.array(["JFK", None, "XXX"]),
            "wind": pa.array([None, 3.0, None], pa.float64()),
            "hour": pa.array([99, None, 3], pa.int64()),
            "wet": pa.array([None, True, False]),
        }
    )
    answer = score.score((world / "out/m/model/model.onnx").read_bytes(), rows)
    assert np.isfinite(answer).all() and len(set(answer)) == 3


def test_the_same_inputs_give_the_same_bytes_in_another_process(world, training):
    first = {path.name: path.read_bytes() for path in (world / "out/m/model").iterdir()}
    script = (
        "import sys; from pathlib import Path; from mlops_cli.pipeline.step import Step;"
        "from mlops_cli.pipeline.runner import RunContext;"
        "from mlops_cli.training.train import TrainStep; root = Path(sys.argv[1]);"
        "step = Step('train.m', 'train', deps=('out/m/dataset',), outs=('out/m/model',),"
        " config={'train': {'code': 'src/train.py:train'}, 'task': 'binary'});"
        "TrainStep().run(step, RunContext(root, {'out/m/model': root / 'again'},"
        " params={'lr': 0.1}, seed=5))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(world)], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert "Warning" not in done.stderr
    assert {path.name: path.read_bytes() for path in (world / "again").iterdir()} == first


def test_the_file_holds_no_path_of_this_machine(world, train_step, context):
    TrainStep().run(train_step, context)
    model = (world / "out/m/model/model.onnx").read_bytes()
    assert str(world).encode() not in model
    assert b"site-packages" not in model and b".py" not in model


def test_an_error_of_the_user_code_names_its_file_and_line(world, train_step, context):
    (world / "src/train.py").write_text("def train(train, validate, params, run):\n    1 / 0\n")
    with pytest.raises(StepFailed, match=r"src/train\.py:2: ZeroDivisionError") as caught:
        TrainStep().run(train_step, context)
    assert caught.value.code == "training-failed"
    assert "Traceback" in caught.value.details["traceback"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("return 3", "not-a-model"),
        ("return torch.nn.Bilinear(3, 2, 1)", "training-failed"),
        ("return Broken('shape')", "wrong-shape"),
        ("return Broken('nan')", "not-finite"),
        ("return Broken('branch')", "not-exportable"),
    ],
)
def test_what_is_no_servable_model_is_refused(world, train_step, context, body, code):
    (world / "src/train.py").write_text(
        "import torch\n"
        "class Broken(torch.nn.Module):\n"
        "    def __init__(self, how):\n"
        "        super().__init__()\n"
        "        self.how = how\n"
        "    def forward(self, numeric, codes):\n"
        "        if self.how == 'shape': return numeric\n"
        "        if self.how == 'branch' and codes.sum() > 3: return codes[:, 0].float()\n"
        "        return numeric[:, 0]\n"
        f"def train(train, validate, params, run):\n    {body}\n"
    )
    with pytest.raises(StepFailed) as caught:
        TrainStep().run(train_step, context)
    assert caught.value.code == code
    assert not (world / "out/m/model").exists()


def test_missing_code_functions_and_rows_are_named(world, train_step, context):
    def run(reference: str):
        config = {"train": {"code": reference}, "task": "binary"}
        return TrainStep().run(
            Step("t", "train", train_step.deps, train_step.outs, config=config), context
        )

    with pytest.raises(NotFound, match=r"no file src/none\.py"):
        run("src/none.py:train")
    with pytest.raises(ConfigError, match="no function 'fit'"):
        run("src/train.py:fit")
    with pytest.raises(ConfigError, match="leaves the project"):
        run("../train.py:train")
    validate = world / "out/m/dataset/validate.parquet"
    pq.write_table(pq.read_table(validate).slice(0, 0), validate)
    with pytest.raises(StepFailed, match="0 to validate"):
        run("src/train.py:train")
