"""A small project whose model is trained by a command, with weights from which one can go on."""

from __future__ import annotations

from pathlib import Path

PIPELINE = """\
version: 1
project: {name: gusts, task: binary}
data:
  hours:
    path: data/hours.parquet
    key: id
    time: at
    label: {column: late, known_at: known}
train:
  gust:
    dataset:
      spine: data.hours
      columns: [wind, gust]
      split: {by: time, validate: 20%, test: 20%}
    cmd: python src/fit.py
    params: params.yaml:fit
    metrics: [roc_auc, log_loss]
    slices: [origin]
    warm_start: production
models:
  gust:
    from: train.gust
    aliases: {production: {gates: [metrics.roc_auc >= 0.6, parity, golden]}}
"""

# the same script alone, on several workers, and going on from another model
FIT = """\
import json
import os
import signal

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper

params = json.load(open(os.environ["MLOPS_PARAMS"]))
out = os.environ["MLOPS_OUT"]
if params["dies"] and os.environ.get("RANK") == "1":
    if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        os.kill(os.getpid(), signal.SIGKILL)


def rows(name):
    table = pq.read_table(os.environ[name])
    x = np.stack([table[column].to_numpy() for column in ("wind", "gust")], 1)
    return x.astype(np.float32), table["late"].to_numpy()


def answer(x, weights):
    return 1 / (1 + np.exp(-(x @ weights["w"] + weights["b"])))


x, late = rows("MLOPS_TRAIN")
weights = {"w": np.zeros((2, 1), np.float32), "b": np.zeros(1, np.float32)}
if os.environ["MLOPS_PARENT"]:
    weights = safetensors.numpy.load_file(os.environ["MLOPS_PARENT"] + "/weights.safetensors")
for _ in range(params["steps"]):
    gap = answer(x, weights) - late[:, None]
    weights["w"] -= (0.01 * x.T @ gap / len(x)).astype(np.float32)
    weights["b"] -= np.float32(0.01) * gap.mean(0).astype(np.float32)

graph = helper.make_graph(
    [
        helper.make_node("MatMul", ["x", "w"], ["xw"]),
        helper.make_node("Add", ["xw", "b"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["p"]),
    ],
    "gust",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
    [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 1])],
    [numpy_helper.from_array(array, name) for name, array in weights.items()],
)
opset = [helper.make_opsetid("", 18)]
if os.environ.get("RANK", "0") == "0":
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), out + "/model.onnx")
    safetensors.numpy.save_file(weights, out + "/weights.safetensors")
    told = answer(rows("MLOPS_VALIDATE")[0], weights)[:, 0]
    pq.write_table(pa.table({"answer": told}), out + "/answers.parquet")
"""


def write(root: Path, *, dies: bool = False) -> None:
    """Write the files of the project; `dies` has one of two workers end at its first start."""
    for folder in ("data", "src"):
        (root / folder).mkdir(parents=True)
    (root / "pipeline.yaml").write_text(PIPELINE)
    (root / "params.yaml").write_text(f"fit: {{steps: 200, dies: {str(dies).lower()}}}\n")
    (root / "src/fit.py").write_text(FIT)
    (root / ".gitignore").write_text("/out/\n/.mlops/*\n!/.mlops/lock/\n/data/hours.parquet\n")
    write_rows(root, 600)


def write_rows(root: Path, count: int) -> None:
    """Write the first `count` hours; more of them are the same and then others."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw = np.random.default_rng(3)
    wind, gust, noise = draw.normal(0, 1, (3, 2000))[:, :count]
    at = np.arange(count) * 3_600_000_000
    columns = {
        "id": np.arange(count),
        "at": pa.array(at, pa.timestamp("us", "UTC")),
        "known": pa.array(at + 60_000_000, pa.timestamp("us", "UTC")),
        "origin": [("EWR", "JFK")[n % 2] for n in range(count)],
        "wind": wind,
        "gust": gust,
        "late": (wind + gust + noise > 0).astype("int8"),
    }
    pq.write_table(pa.table(columns), root / "data/hours.parquet")
