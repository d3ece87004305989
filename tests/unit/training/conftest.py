"""A dataset folder as the dataset step leaves it, and user code that trains on it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step
from mlops_cli.training.train import TrainStep

CODE = """
import torch

class Net(torch.nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.tables = torch.nn.ModuleList(torch.nn.Embedding(n, 2) for n in encoder.cardinalities)
        width = 2 * len(encoder.numeric) + 2 * len(encoder.cardinalities)
        self.last = torch.nn.Linear(width, 1)

    def forward(self, numeric, codes):
        missing = torch.isnan(numeric)
        known = torch.where(missing, torch.zeros_like(numeric), numeric)
        parts = [table(codes[:, i]) for i, table in enumerate(self.tables)]
        return torch.sigmoid(self.last(torch.cat([known, missing.float(), *parts], 1))).squeeze(1)

def train(train, validate, params, run):
    encoder = run.encode(categorical=["hour"])
    rows = encoder.tensors(train)
    network = Net(encoder)
    optimizer = torch.optim.SGD(network.parameters(), lr=params["lr"])
    for epoch in range(3):
        answer = network(rows.numeric, rows.codes)
        loss = torch.nn.functional.binary_cross_entropy(answer, rows.label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log(epoch, loss=loss.item())
    return network
"""

FEATURES = [
    {"name": "origin", "dtype": "string"},
    {"name": "wind", "dtype": "float"},
    {"name": "hour", "dtype": "int"},
    {"name": "wet", "dtype": "bool"},
]


def make_rows(count: int, seed: int) -> pa.Table:
    draw = np.random.default_rng(seed)
    wind = draw.normal(10, 4, count)
    return pa.table(
        {
            "id": np.arange(count),
            "at": pa.array(np.arange(count) * 3_600_000_000, pa.timestamp("us", "UTC")),
            "origin": pa.array(draw.choice(["EWR", "JFK", "LGA"], count)),
            "wind": pa.array(wind, mask=draw.random(count) < 0.1),
            "hour": pa.array(draw.integers(0, 24, count), pa.int8()),
            "wet": pa.array(draw.random(count) < 0.3),
            "late": pa.array((wind + draw.normal(0, 4, count) > 12).astype("int8")),
        }
    )


def _write(root: Path) -> None:
    folder = root / "out/m/dataset"
    folder.mkdir(parents=True)
    for seed, (part, count) in enumerate({"train": 600, "validate": 200, "test": 300}.items()):
        pq.write_table(make_rows(count, seed), folder / f"{part}.parquet")
    facts = {
        "schema": "mlops.dataset/1",
        "label": "late",
        "key": ["id"],
        "time": "at",
        "task": "binary",
        "features": FEATURES,
        "split": {"test": {"rows": 300, "start": "2013-01-01", "end": "2013-01-13"}},
    }
    (folder / "dataset.json").write_text(json.dumps(facts))
    (folder / "profile.json").write_text('{"schema": "mlops.profile/1"}')
    (root / "src").mkdir()
    (root / "src/train.py").write_text(CODE)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Return a project root with out/m/dataset and src/train.py."""
    _write(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def train_step() -> Step:
    return Step(
        "train.m",
        "train",
        deps=("out/m/dataset",),
        outs=("out/m/model",),
        config={"name": "m", "train": {"code": "src/train.py:train"}, "task": "binary"},
    )


@pytest.fixture
def evaluate_step() -> Step:
    return Step(
        "evaluate.m",
        "evaluate",
        deps=("out/m/dataset", "out/m/model"),
        outs=("out/m/evaluation",),
        config={"metrics": ["roc_auc", "log_loss"], "slices": ["origin"], "task": "binary"},
    )


@pytest.fixture
def context(world: Path) -> RunContext:
    return _context(world)


def _context(root: Path) -> RunContext:
    outs = {out: root / out for out in ("out/m/model", "out/m/evaluation")}
    return RunContext(root=root, outs=outs, params={"lr": 0.1}, seed=5)


@pytest.fixture(scope="session")
def _once(tmp_path_factory: pytest.TempPathFactory, train_step: Step) -> tuple[Path, Outcome]:
    root = tmp_path_factory.mktemp("once")
    _write(root)
    return root, TrainStep().run(train_step, _context(root))


@pytest.fixture
def training(world: Path, _once: tuple[Path, Outcome]) -> Outcome:
    """What the train step answers; `world` has the model that it wrote."""
    root, answer = _once
    shutil.copytree(root / "out/m/model", world / "out/m/model")
    return answer
