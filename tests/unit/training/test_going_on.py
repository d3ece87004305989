"""Weights that outlive a training: warm starts, safetensors, and models made smaller."""

import json
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest

from mlops_cli.errors import IntegrityError, StepFailed
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step
from mlops_cli.training import compress, parent, score, weights
from mlops_cli.training.parent import ParentStep
from mlops_cli.training.train import TrainStep

WARM = "    network = Net(encoder)\n    run.warm(network)\n"

WIDE = """
import torch

def network(params, run):
    run.encode()
    return Wide(run.encoder, len(run.classes))

class Wide(torch.nn.Module):
    def __init__(self, encoder, classes=0):
        super().__init__()
        self.first = torch.nn.Linear(len(encoder.numeric), 96)
        self.second = torch.nn.Linear(96, 96)
        self.last = torch.nn.Linear(96, classes or 1)
        self.classes = classes

    def forward(self, numeric, codes):
        hidden = torch.relu(self.first(torch.nan_to_num(numeric, nan=10.0)))
        last = self.last(torch.relu(self.second(hidden)))
        return torch.softmax(last, 1) if self.classes else torch.sigmoid(last).squeeze(1)

def train(train, validate, params, run):
    return network(params, run)
"""


def trains(context: RunContext, **train: object) -> Outcome:
    task = str(train.pop("task", "binary"))
    warm = ("out/m/parent",) if "warm_start" in train else ()
    config = {"name": "m", "train": {"code": "src/train.py:train", **train}, "task": task}
    deps = ("out/m/dataset", *warm)
    step = Step("train.m", "train", deps=deps, outs=("out/m/model",), config=config)
    return TrainStep().run(step, context)


def as_parent(world: Path, **said: object) -> None:
    """Make what stands in out/m/model the parent of the next training."""
    folder = world / "out/m/parent"
    folder.mkdir(exist_ok=True)
    for name in (weights.FILE, "schema.json"):
        (folder / name).write_bytes((world / "out/m/model" / name).read_bytes())
    told = {"model": "sha256:1", "name": "m@v1", "dataset": "sha256:2", "after": None}
    (folder / "parent.json").write_text(json.dumps(told | {"incremental": False} | said))


def test_a_warm_start_begins_where_its_parent_ended_and_learns_what_is_new(world, context):
    cold = (world / "src/train.py").read_text()
    warm = cold.replace("    network = Net(encoder)\n", WARM).replace("range(3)", "range(0)")
    trains(context, export={"weights": True})
    model = (world / "out/m/model/model.onnx").read_bytes()

    as_parent(world)
    with pytest.raises(StepFailed, match="did not go on from m@v1") as caught:
        trains(context, warm_start="previous")
    assert caught.value.code == "parent-unused"

    # 101 other rows, some categories gone: the encoder is the parent's, as its weights are
    as_parent(world, after="1970-01-21T18:00:00Z", incremental=True)  # hour 498
    (world / "src/train.py").write_text(warm)
    told = trains(context, warm_start="previous")
    assert (world / "out/m/model/model.onnx").read_bytes() == model
    assert told.facts["parent"] == {"model": "sha256:1", "name": "m@v1"}
    assert told.facts["rows"]["train"] == 101
    assert told.facts["incremental"] == {"after": "1970-01-21T18:00:00Z", "of": 600}

    as_parent(world, after="1971-01-01T00:00:00Z", incremental=True)
    with pytest.raises(StepFailed, match="newer than 1971") as caught:
        trains(context, warm_start="previous")
    assert caught.value.code == "no-new-rows"

    as_parent(world)
    path = world / "out/m/dataset/dataset.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"features": facts["features"][1:]}))
    with pytest.raises(StepFailed) as caught:
        trains(context, warm_start="previous")
    assert caught.value.code == "columns-changed"


@pytest.mark.parametrize(
    ("warm_start", "why"),
    [
        ("previous", "the previous model of train.storm kept no weights"),
        ("production", "there is no production model yet"),
    ],
)
def test_where_there_is_nothing_to_go_on_from_a_training_starts_cold(
    trained: Path, warm_start: str, why: str
) -> None:
    config = {"name": "storm", "warm_start": warm_start, "models": ["storm"]}
    step = Step(
        "parent.storm", "parent", ("out/storm/dataset",), ("out/storm/parent",), config=config
    )
    out = trained / "out/storm/parent"
    told = ParentStep().run(step, RunContext(trained, {"out/storm/parent": out}))
    assert told.facts == {"model": None, "why": why} and parent.read(out) is None


def test_eight_bits_make_a_model_smaller_and_the_change_is_recorded(world, context):
    (world / "src/train.py").write_text(WIDE)
    told = trains(context, export={"quantize": "int8", "prune": 0.3})
    small = told.facts["compressed"]
    assert small["bytes"]["after"] < small["bytes"]["before"] / 2
    assert small["zeros"] >= 0.29
    assert told.facts["parity"]["passed"], "the export itself is held against the network"
    before, after = small["validate"]["before"], small["validate"]["after"]
    assert told.metrics["compressed.roc_auc.change"] == after["roc_auc"] - before["roc_auc"]
    assert abs(told.metrics["compressed.log_loss.change"]) < 0.05
    folder = world / "out/m/model"
    assert json.loads((folder / "training.json").read_text())["compressed"] == small
    data = (folder / "model.onnx").read_bytes()
    assert len(data) == told.metrics["compressed.bytes"]
    answers = score.score(data, pq.read_table(world / "out/m/dataset/test.parquet"))
    assert ((answers > 0) & (answers < 1)).all()


def test_pruning_sets_the_smallest_weights_to_zero_and_no_others():
    draw = np.random.default_rng(1)
    whole = matrix(draw.normal(0, 1, (20, 20)))
    pruned = compress.prune(whole, 0.5)
    assert compress.zeros(whole) == 0 and compress.zeros(pruned) == 0.5
    assert compress.prune(pruned, 0.5) == pruned
    (left,) = onnx.load_from_string(pruned).graph.initializer
    kept = onnx.numpy_helper.to_array(left)
    assert np.abs(kept[kept != 0]).min() > 0.5 and kept.max() == np.float32(draw_max(whole))
    with pytest.raises(StepFailed) as caught:
        compress.quantize(matrix(np.ones((2, 2))))
    assert caught.value.code == "nothing-to-compress"


def matrix(weights: np.ndarray) -> bytes:
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", len(weights)])]
        for name in "xy"
    ]
    array = onnx.numpy_helper.from_array(weights.astype(np.float32), "w")
    graph = onnx.helper.make_graph([node], "m", *ends, [array])
    opset = [onnx.helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()


def draw_max(model: bytes) -> float:
    return onnx.numpy_helper.to_array(onnx.load_from_string(model).graph.initializer[0]).max()


def test_a_network_of_several_classes_gives_probabilities(world, context):
    (world / "src/train.py").write_text(WIDE)
    path = world / "out/m/dataset/dataset.json"
    facts = json.loads(path.read_text())
    path.write_text(
        json.dumps(
            facts
            | {"features": facts["features"][1:2], "label": "hour", "classes": list(range(24))}
        )
    )
    trains(context, task="multiclass")
    rows = pq.read_table(world / "out/m/dataset/test.parquet")
    answers = score.score((world / "out/m/model/model.onnx").read_bytes(), rows)
    assert answers.shape == (300, 24) and np.allclose(answers.sum(1), 1, atol=1e-5)
    (world / "src/train.py").write_text(WIDE.replace("torch.softmax(last, 1)", "last"))
    with pytest.raises(StepFailed) as caught:
        trains(context, task="multiclass")
    assert caught.value.code == "no-probabilities"


def test_weights_that_a_command_wrote_become_an_onnx_file(world, context):
    (world / "src/train.py").write_text(WIDE)
    trains(context, export={"weights": True})
    model = (world / "out/m/model/model.onnx").read_bytes()
    kept = (world / "out/m/model" / weights.FILE).rename(world / "kept")
    copied = {"code": None, "cmd": f"cp {kept} $MLOPS_OUT/{weights.FILE}"}
    trains(context, **copied, network="src/train.py:network")
    assert (world / "out/m/model/model.onnx").read_bytes() == model
    (world / "src/train.py").write_text(WIDE.replace("96", "95"))
    with pytest.raises(StepFailed) as caught:
        trains(context, **copied, network="src/train.py:network")
    assert caught.value.code == "weights-do-not-fit"


def test_weights_are_arrays_and_nothing_else():
    data = weights.encode({"b": np.ones(2), "a": np.zeros((2, 3), np.float32)})
    assert data == weights.encode({"a": np.zeros((2, 3), np.float32), "b": np.ones(2)})
    assert weights.decode(data)["a"].shape == (2, 3)
    with pytest.raises(IntegrityError) as caught:
        weights.decode(b"\x80\x04not a safetensors file")
    assert caught.value.code == "malformed-weights"
