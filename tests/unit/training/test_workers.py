"""Several workers train what one would: each its share of the rows, gradients averaged."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa

from mlops_cli.training import weights
from mlops_cli.training.backends import torchrun

# alone first, then as two: forks of a process that has loaded torch, and nothing else, before
SCRIPT = """
import json, os, socket, sys
from pathlib import Path
from mlops_cli.pipeline.attempts import worker
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.runner import RunContext
from mlops_cli.training.backends import rank, torchrun
from mlops_cli.training.train import TrainStep

root = Path(sys.argv[1])

def step(**more):
    section = {"code": "src/train.py:train", "export": {"weights": True}, **more}
    config = {"name": "m", "train": section, "task": "binary"}
    return Step("train.m", "train", deps=("out/m/dataset",), outs=("out/m/model",), config=config)

TrainStep().run(step(), RunContext(root, {"out/m/model": root / "alone"}, {"lr": 0.1}, 5))
import torch.distributed

request = root / "request.json"
worker.write_request(
    request,
    step(backend={"kind": "torchrun", "workers": 2}),
    root=root,
    outs={"out/m/model": root / "together"},
    params={"lr": 0.1},
    seed=5,
)
with socket.socket() as found:
    found.bind(("127.0.0.1", 0))
    port = found.getsockname()[1]
children = []
for number in range(2):
    child = os.fork()
    if not child:
        os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": "2"}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        os.environ |= {"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "0"}
        os.environ[torchrun.CHECKPOINT] = str(root)
        os._exit(rank.main(str(request), str(root / "answer.json")))
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def test_shares_are_equally_long_and_leave_no_row_out():
    rows = pa.table({"n": range(7)})
    shares = [torchrun.Place(rank=n, workers=3).share(rows)["n"].to_pylist() for n in range(3)]
    assert shares == [[0, 3, 6], [1, 4, 0], [2, 5, 1]]
    assert torchrun.Place().share(rows) is rows


def test_two_workers_learn_what_one_learns_of_all_rows(world):
    subprocess.run([sys.executable, "-c", SCRIPT, str(world)], check=True, timeout=120)
    alone, together = (
        weights.decode((world / name / weights.FILE).read_bytes()) for name in ("alone", "together")
    )
    assert alone.keys() == together.keys()
    for name, array in alone.items():
        assert np.allclose(array, together[name], atol=1e-5), name
    told = json.loads((world / "answer.json").read_text())["facts"]
    assert told["backend"] == {"kind": "torchrun", "world_size": 2, "restarts": 0}
    assert told["parity"]["passed"]
