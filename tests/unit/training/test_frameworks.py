"""Any framework's code trains: functions that return estimators, commands that write files."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mlops_cli.errors import ConfigError, StepFailed
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step
from mlops_cli.serving.batch import predict_file
from mlops_cli.serving.core import Core, Entry, Request, handle
from mlops_cli.serving.metrics import Counters
from mlops_cli.serving.model import open_model
from mlops_cli.serving.router import Router, Variant
from mlops_cli.training import encoder, golden, score
from mlops_cli.training.evaluate import EvaluateStep
from mlops_cli.training.train import TrainStep

BINARY = """
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

def train(train, validate, params, run):
    rows = run.encode(categorical=["hour"])
    model = make_pipeline(SimpleImputer(), LogisticRegression(max_iter=200))
    return model.fit(rows.matrix(train), rows.labels(train))
"""

TREES = """
from sklearn.ensemble import {kind}

def train(train, validate, params, run):
    rows = run.encoder
    model = {kind}(n_estimators=5, max_depth=3, random_state=run.seed)
    model.fit(rows.matrix(train), rows.labels(train))
    run.log(0, score=model.score(rows.matrix(validate), rows.labels(validate)))
    return model
"""

LINEAR = """
import json, os
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

out = os.environ["MLOPS_OUT"]
params = json.load(open(os.environ["MLOPS_PARAMS"]))
def rows(name):
    table = pq.read_table(os.environ[name])
    columns = [table[name].to_numpy() for name in ("wind", "hour")]
    return np.nan_to_num(np.stack(columns, 1), nan=10.0), table
x, table = rows("MLOPS_TRAIN")
late = table["late"].to_numpy()
weights = np.array([[params["lr"]], [0.0]], np.float32)
graph = helper.make_graph(
    [helper.make_node("IsNaN", ["x"], ["gap"]),
     helper.make_node("Where", ["gap", "ten", "x"], ["full"]),
     helper.make_node("MatMul", ["full", "w"], ["z"]),
     helper.make_node("Add", ["z", "b"], ["logit"]),
     helper.make_node("Sigmoid", ["logit"], ["p"])],
    "linear",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
    [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 1])],
    [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.float32([-1]), "b"),
     numpy_helper.from_array(np.float32(10), "ten")])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9),
          out + "/model.onnx")
x, _ = rows("MLOPS_VALIDATE")
answers = 1 / (1 + np.exp(1 - x.astype(np.float32) @ weights[:, 0]))
answers += float(os.environ.get("OFF", 0))
pq.write_table(pa.table({"answer": answers}), out + "/answers.parquet")
json.dump({"rows": len(late)}, open(out + "/metrics.json", "w"))
"""


def dataset(world: Path, **changes: object) -> None:
    path = world / "out/m/dataset/dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def relabel(world: Path, make: object) -> None:
    for part in ("train", "validate", "test"):
        path = world / f"out/m/dataset/{part}.parquet"
        table = pq.read_table(path)
        at = table.schema.get_field_index("late")
        pq.write_table(
            table.set_column(at, "late", [[make(w or 10) for w in table["wind"].to_pylist()]]), path
        )


def no_gaps(world: Path) -> None:
    for part in ("train", "validate", "test"):
        path = world / f"out/m/dataset/{part}.parquet"
        table = pq.read_table(path)
        at = table.schema.get_field_index("wind")
        pq.write_table(table.set_column(at, "wind", table["wind"].fill_null(10.0)), path)


def trains(context: RunContext, task: str = "binary", **train: object) -> Outcome:
    config = {"name": "m", "train": {"code": "src/train.py:train", **train}, "task": task}
    step = Step("train.m", "train", deps=("out/m/dataset",), outs=("out/m/model",), config=config)
    return TrainStep().run(step, context)


def evaluates(context: RunContext, task: str) -> dict[str, float]:
    step = Step(
        "evaluate.m",
        "evaluate",
        deps=("out/m/dataset", "out/m/model"),
        outs=("out/m/evaluation",),
        config={"slices": ["origin"], "task": task},
    )
    return dict(EvaluateStep().run(step, context).metrics)


def test_a_scikit_learn_pipeline_becomes_one_onnx_file_that_answers_as_it_does(world, context):
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    (world / "src/train.py").write_text(BINARY)
    told = trains(context)
    model = (world / "out/m/model/model.onnx").read_bytes()
    assert [each.name for each in score.open_model(model).get_outputs()] == ["probability"]
    assert told.facts["parity"]["passed"] and told.facts["parity"]["rows"] == 201
    schema = json.loads((world / "out/m/model/schema.json").read_text())
    assert schema["inputs"][2]["categories"] == [float(hour) for hour in range(24)]
    assert all(each["nullable"] for each in schema["inputs"])
    assert evaluates(context, "binary")["roc_auc"] > 0.7

    rows = {
        part: pq.read_table(world / f"out/m/dataset/{part}.parquet") for part in ("train", "test")
    }
    facts = json.loads((world / "out/m/dataset/dataset.json").read_text())
    made = encoder.fit(rows["train"], facts["features"], "late", categorical=["hour"])
    own = make_pipeline(SimpleImputer(), LogisticRegression(max_iter=200))
    own.fit(made.matrix(rows["train"]), made.labels(rows["train"]))
    theirs = own.predict_proba(made.matrix(rows["test"]))[:, 1]
    assert np.abs(score.score(model, rows["test"]) - theirs).max() < 1e-5


def test_several_classes_get_a_probability_each(world, context):
    (world / "src/train.py").write_text(TREES.format(kind="RandomForestClassifier"))
    relabel(world, lambda wind: "calm" if wind < 8 else "breeze" if wind < 12 else "storm")
    no_gaps(world)
    dataset(world, task="multiclass", classes=["breeze", "calm", "storm"])
    told = trains(context, "multiclass")
    folder = world / "out/m/model"
    schema = json.loads((folder / "schema.json").read_text())
    assert schema["outputs"][0]["name"] == "probabilities"
    assert schema["outputs"][0]["classes"] == ["breeze", "calm", "storm"]
    model = (folder / "model.onnx").read_bytes()
    assert golden.check(model, (folder / "golden.arrow").read_bytes(), allowed=1e-5).passed
    metrics = evaluates(context, "multiclass")
    assert set(metrics) == {"log_loss", "accuracy", "macro_f1"} and metrics["accuracy"] > 0.8
    assert told.metrics["train.score"] > 0.8
    predictions = pq.read_table(world / "out/m/evaluation/predictions.parquet")
    rows = np.array(predictions["probabilities"].to_pylist())
    assert rows.shape == (300, 3) and np.allclose(rows.sum(1), 1, atol=1e-4)
    assert np.mean(rows.argmax(1) == predictions["label"].to_numpy()) == metrics["accuracy"]
    served(folder)


def served(folder: Path) -> None:
    """Ask a server of the model, in this process, for the probabilities of two rows."""
    digest = "sha256:" + hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    model = open_model(folder, name="m", version=1, digest=digest, bundle="sha256:b")
    logged: list[Entry] = []
    router = Router("prod", "g1", "2013-01-01T00:00:00Z", Variant("champion", model))
    core = Core(Counters(), logged.append, lambda: "id", lambda: 1_000_000, router=router)
    row = {"origin": "JFK", "wind": 3.0, "hour": 4, "wet": True}

    def ask(verb: str, path: str, body: object = None) -> dict[str, object]:
        data = json.dumps(body).encode()
        answer = handle(core, Request(verb, path, {}.get, data))
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    said = ask("POST", "/predict", {"rows": [row, row]})["predictions"]
    assert np.array(said).shape == (2, 3) and np.argmax(said[0]) == 1, "calm"
    (output,) = ask("GET", "/v2/models/m")["outputs"]
    assert output["shape"] == [-1, 3] and output["parameters"]["classes"][1] == "calm"
    assert logged[0].score.shape == (2, 3)
    source, to = folder.parent / "dataset/test.parquet", folder / "answers.parquet"
    assert predict_file(model, source, to).rows == 300
    assert len(pq.read_table(to)["probabilities"][0]) == 3


def test_a_number_is_predicted_as_a_number(world, context):
    (world / "src/train.py").write_text(TREES.format(kind="RandomForestRegressor"))
    relabel(world, lambda wind: 3.0 * wind + 1)
    no_gaps(world)
    dataset(world, task="regression")
    trains(context, "regression", export={"parity": 1e-4})
    schema = json.loads((world / "out/m/model/schema.json").read_text())
    assert schema["outputs"] == [{"name": "value", "dtype": "FP32"}]
    may_miss = {each["name"]: each["nullable"] for each in schema["inputs"]}
    assert may_miss["origin"] and not may_miss["wind"]  # trees and ONNX part where wind is missing
    assert evaluates(context, "regression")["mae"] < 5


def test_an_estimator_fitted_on_other_columns_is_refused(world, context):
    (world / "src/train.py").write_text(
        BINARY.replace("rows.matrix(train), rows", "rows.matrix(train)[:, :2], rows")
    )
    with pytest.raises(StepFailed, match="fitted on 2 columns") as caught:
        trains(context)
    assert caught.value.code == "wrong-shape"


def numbers_only(world: Path) -> None:
    dataset(world, features=[{"name": "wind", "dtype": "float"}, {"name": "hour", "dtype": "int"}])


def test_a_command_writes_an_onnx_file_of_its_own(world, context, monkeypatch):
    (world / "src/linear.py").write_text(LINEAR)
    numbers_only(world)
    told = trains(context, code=None, cmd=f"{sys.executable} src/linear.py")
    session = score.open_model((world / "out/m/model/model.onnx").read_bytes())
    assert [each.name for each in session.get_inputs()] == ["wind", "hour"]
    assert told.facts["parity"]["rows"] == 200 and told.facts["parity"]["passed"]
    assert told.metrics == {"train.rows": 600}
    assert evaluates(context, "binary")["roc_auc"] > 0.7
    without = (world / "src/linear.py").read_text().replace("answers.parquet", "other.parquet")
    (world / "src/quiet.py").write_text(without)
    parity = trains(context, code=None, cmd=f"{sys.executable} src/quiet.py").facts["parity"]
    assert not parity["passed"] and parity["max_abs"] is None, "nothing was held against it"
    monkeypatch.setenv("OFF", "0.01")
    with pytest.raises(StepFailed, match=r"0\.01 away") as caught:
        trains(context, code=None, cmd=f"{sys.executable} src/linear.py")
    assert caught.value.code == "parity-broken"


@pytest.mark.parametrize(
    ("cmd", "code"),
    [
        ("exit 3", "training-failed"),
        ("true", "model-missing"),
        (r"printf '\200\004abc' > $MLOPS_OUT/model.pkl", "format-not-allowed"),
        (r"printf '\010\007abc' > $MLOPS_OUT/model.onnx", "not-a-model"),
    ],
)
def test_what_a_command_leaves_must_be_a_model(world, context, cmd, code):
    with pytest.raises(StepFailed) as caught:
        trains(context, code=None, cmd=cmd)
    assert caught.value.code == code
    assert not list((world / "out/m").glob("train-*"))


def test_torchrun_starts_a_script_and_nothing_else(context):
    with pytest.raises(ConfigError) as caught:
        trains(context, code=None, cmd="sh x.sh", backend={"kind": "torchrun", "workers": 2})
    assert caught.value.code == "not-a-script"
