"""A small project whose model was trained twice: v1 is useless and registered, v2 is ready."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from shared import once, session_folder

PIPELINE = """\
version: 1
project: {name: storms, task: binary}
data:
  days:
    path: data/days.parquet
    key: id
    time: at
    label: {column: late, known_at: known}
train:
  storm:
    dataset:
      spine: data.days
      columns: [origin, wind]
      split: {by: time, validate: 20%, test: 30%}
    code: src/train.py:train
    params: params.yaml:train
    metrics: [roc_auc, log_loss]
    slices: [origin]
models:
  storm:
    from: train.storm
    card: models/storm.md
    aliases:
      staging: {gates: [metrics.roc_auc >= 0.7, parity, golden]}
      trial:
        gates:
          - golden
          - {better_than: trial, on: roc_auc, test: paired, alpha: 0.05}
          - clean_tree
      production: {gates: [staging, clean_tree]}
"""

CODE = """\
import torch


class Network(torch.nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.table = torch.nn.Embedding(encoder.cardinalities[0], 2)
        self.last = torch.nn.Linear(3, 1)
        torch.nn.init.zeros_(self.last.weight)

    def forward(self, numeric, codes):
        known = torch.nan_to_num(numeric, nan=10.0) - 10.0
        both = torch.cat([known, self.table(codes[:, 0])], 1)
        return torch.sigmoid(self.last(both)).squeeze(1)


def train(train, validate, params, run):
    rows = run.encoder.tensors(train)
    network = Network(run.encoder)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for epoch in range(params["epochs"]):
        answer = network(rows.numeric, rows.codes)
        loss = torch.nn.functional.binary_cross_entropy(answer, rows.label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log(epoch, loss=loss.item())
    return network
"""


def _write(root: Path) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw = np.random.default_rng(1)
    wind = draw.normal(10, 4, 1500)
    hour = 3_600_000_000
    at = np.arange(1500) * hour
    table = pa.table(
        {
            "id": np.arange(1500),
            "at": pa.array(at, pa.timestamp("us", "UTC")),
            "known": pa.array(at + hour // 2, pa.timestamp("us", "UTC")),
            "origin": pa.array(draw.choice(["EWR", "JFK", "LGA"], 1500)),
            "wind": wind,
            "late": (wind + draw.normal(0, 4, 1500) > 12).astype("int8"),
        }
    )
    for folder in ("data", "src", "models"):
        (root / folder).mkdir(parents=True)
    pq.write_table(table, root / "data/days.parquet")
    (root / "pipeline.yaml").write_text(PIPELINE)
    (root / "params.yaml").write_text("train: {epochs: 0}\n")
    (root / "src/train.py").write_text(CODE)
    (root / "models/storm.md").write_text("# storm\n\nTells which days are late.\n")
    (root / ".gitignore").write_text("/out/\n/.mlops/*\n!/.mlops/lock/\n/data/days.parquet\n")


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory, console_script: str) -> Path:
    """The project, made one time for all tests; use `trained`, which is a copy."""
    return once(
        session_folder(tmp_path_factory) / "trained/storms",
        lambda folder: _train(folder, console_script),
    )


def _train(root: Path, console_script: str) -> None:
    _write(root)
    home = str(root.parent)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": f"{home}/.gitconfig",
        "MLOPS_NOW": "2013-03-01T00:00:00+00:00",
    }

    def run(*words: str) -> None:
        done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (words, done.stdout, done.stderr)

    run("git", "init", "-q", "-b", "main")
    run("git", "config", "user.name", "Ada Lovelace")
    run("git", "config", "user.email", "ada@example.org")
    run(console_script, "add", "data/days.parquet")
    run("git", "add", "-A")
    run("git", "commit", "-q", "-m", "a project")
    run(console_script, "run")
    run(console_script, "register", "storm")
    (root / "params.yaml").write_text("train: {epochs: 30}\n")
    run("git", "commit", "-q", "-am", "train longer")
    run(console_script, "run")


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """A project with a useless v1 that is registered, and a good model that is not yet."""
    root = tmp_path / "storms"
    shutil.copytree(trained_once, root, symlinks=True)
    return root
