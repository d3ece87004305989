"""What `mlops train` adds to the user's own script: the same network, rows, epochs and export.

python tests/benchmarks/train_overhead.py [EPOCHS [ROUNDS]]

The script reads Parquet, trains and exports to ONNX, on one thread as mlops does. What is added is
a start, the checks of the export (parity, golden rows, schema), lock, cache and record: some tenths
of a second that do not grow with the training.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Pairs, median, run

PIPELINE = """\
version: 1
project: {name: overhead, task: binary}
data: {rows: {path: data/rows.parquet, key: id, time: at, label: {column: late}}}
train:
  net:
    dataset:
      spine: data.rows
      columns: [a, b, c, d]
      split: {by: time, validate: 10%, test: 10%}
    code: src/net.py:train
    params: params.yaml:net
"""

NET = """\
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, 256), torch.nn.ReLU(),
            torch.nn.Linear(256, 256), torch.nn.ReLU(), torch.nn.Linear(256, 1))

    def forward(self, numeric, codes):
        return torch.sigmoid(self.layers(torch.nan_to_num(numeric))).squeeze(1)


def fit(numeric, label, epochs):
    network = Net()
    optimizer = torch.optim.Adam(network.parameters())
    for _ in range(epochs):
        for at in range(0, len(label), 512):
            answer = network(numeric[at : at + 512], None)
            loss = torch.nn.functional.binary_cross_entropy(answer, label[at : at + 512])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network


def train(train, validate, params, run):
    rows = run.encoder.tensors(train)
    return fit(rows.numeric, rows.label, params["epochs"])
"""

SCRIPT = """\
import sys
import numpy as np
import pyarrow.parquet as pq
import torch
from src.net import fit

torch.set_num_threads(1)
torch.manual_seed(0)
table = pq.read_table("out/net/dataset/train.parquet")
x = np.stack([table[name].to_numpy().astype("float32") for name in "abcd"], 1)
label = torch.tensor(table["late"].to_numpy().astype("float32"))
network = fit(torch.from_numpy(x), label, int(sys.argv[1])).eval()
batch = torch.export.Dim("batch")
sample = (torch.from_numpy(x[:4]), torch.zeros((4, 0), dtype=torch.int64))
program = torch.onnx.export(network, sample, dynamo=True, external_data=False, verbose=False,
                            dynamic_shapes=({0: batch}, {0: batch}))
program.save("own.onnx")
"""


def write(root: Path, epochs: int) -> None:
    """Write the project and bring everything before the training up to date."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    for folder in ("data", "src"):
        (root / folder).mkdir()
    draw, count = np.random.default_rng(0), 60_000
    columns = {name: draw.normal(0, 1, count) for name in "abcd"}
    late = (sum(columns.values()) + draw.normal(0, 1, count) > 0).astype("int8")
    at = pa.array(np.arange(count) * 1_000_000, pa.timestamp("us", "UTC"))
    table = pa.table({"id": np.arange(count), "at": at, **columns, "late": late})
    pq.write_table(table, root / "data/rows.parquet")
    (root / "pipeline.yaml").write_text(PIPELINE)
    (root / "params.yaml").write_text(f"net: {{epochs: {epochs}}}\n")
    (root / "src/net.py").write_text(NET)
    (root / "own.py").write_text(SCRIPT)
    (root / ".gitignore").write_text("/out/\n/own.onnx\n/data/rows.parquet\n")
    for words in (
        ["git", "init", "-q"],
        ["git", "config", "user.name", "B"],
        ["git", "config", "user.email", "b@example.com"],
        ["git", "add", "-A"],
        ["git", "commit", "-qm", "a project"],
        ["mlops", "add", "data/rows.parquet"],
        ["mlops", "run", "dataset.net"],
    ):
        subprocess.run(words, cwd=root, check=True, capture_output=True)


def main(epochs: int = 120, rounds: int = 3) -> None:
    """Print seconds of CPU of both, the difference, and the share."""
    pairs = Pairs()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, epochs)
        for _ in range(rounds):
            pairs.theirs.append(run([sys.executable, "own.py", str(epochs)], root))
            pairs.ours.append(run(["mlops", "train", "--force", "--no-evaluate"], root))
    for what in ("cpu", "wall"):
        own, ours = median(pairs.theirs, what), median(pairs.ours, what)
        share = 100 * (ours - own) / own
        print(
            f"{what}: own script {own:.2f} s, mlops train {ours:.2f} s, +{ours - own:.2f} s,"
            f" {share:.1f} %"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
