"""A training by command: it is told where the rows are, and writes a model that is no pickle."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli import encode
from mlops_cli.errors import StepFailed
from mlops_cli.pipeline import usercode
from mlops_cli.registry import formats
from mlops_cli.training import adopt, score, trained, weights
from mlops_cli.training.backends import torchrun
from mlops_cli.training.encoder import Encoder
from mlops_cli.training.session import Run

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_cli.training.ground import Ground
    from mlops_cli.training.metrics import Array
    from mlops_cli.training.trained import Trained

ANSWERS = "answers.parquet"


@dataclass(frozen=True, slots=True)
class Written:
    """The ONNX file that a command wrote, and what it said its own framework answers."""

    model: bytes  # its inputs are columns already
    encoder: Encoder
    arrays: dict[str, Any]
    said: Array | None

    @property
    def parameters(self) -> None:
        """A file tells no parameters apart from constants."""
        return

    def answers(self, table: pa.Table) -> Array:
        """Return what the file itself answers: there is no framework here to ask."""
        return trained.checked(score.score(self.model, table), table, self.encoder)

    def held(self, rows: pa.Table) -> Array | None:
        """Return what the command said of the validation rows."""
        return None if self.said is None else trained.checked(self.said, rows, self.encoder)

    def onnx(self, sample: pa.Table) -> bytes:
        """Return the file."""
        self.answers(sample.slice(0, 4))
        return self.model

    def weights(self) -> dict[str, Any]:
        """Return what the command wrote beside it."""
        return self.arrays


def train(ground: Ground) -> tuple[Run, Trained, dict[str, Any] | None]:
    """Run the command; return what it logged, what it made, and on how many workers.

    Raises StepFailed ("training-failed", "model-missing", "format-not-allowed", …).
    """
    import pyarrow.parquet as pq

    run = ground.run()
    with tempfile.TemporaryDirectory(dir=ground.out.parent, prefix="train-") as place:
        scratch = Path(place)
        out = scratch / "out"
        out.mkdir()
        rows = ground.folder / "train.parquet"
        if ground.train.num_rows != ground.of:
            rows = scratch / "train.parquet"
            pq.write_table(ground.train, rows)
        params = scratch / "params.json"
        params.write_text(json.dumps(dict(ground.context.params)))
        parent = ground.context.root / f"out/{ground.folder.parent.name}/parent"
        told = {
            "MLOPS_TRAIN": rows,
            "MLOPS_VALIDATE": ground.folder / "validate.parquet",
            "MLOPS_TEST": ground.folder / "test.parquet",
            "MLOPS_DATASET": ground.folder / "dataset.json",
            "MLOPS_PARAMS": params,
            "MLOPS_OUT": out,
            "MLOPS_PARENT": parent if ground.parent else "",
            torchrun.CHECKPOINT: torchrun.kept(scratch),
            "MLOPS_SEED": ground.seed,
        }
        environ = {**os.environ, **{name: str(value) for name, value in told.items()}}
        environ["PYTHONPATH"] = os.pathsep.join(
            [str(ground.context.root), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
        _run(ground, environ)
        if (out / "metrics.json").is_file():
            said = encode.parse_json((out / "metrics.json").read_bytes(), source="metrics.json")
            run.log(0, **{name: float(value) for name, value in said.items()})
        return run, _made(ground, run, out), torchrun.told(out)


def _run(ground: Ground, environ: dict[str, str]) -> None:
    section = ground.section
    cmd = section["cmd"]
    lines = [cmd] if isinstance(cmd, str) else list(cmd)
    if torchrun.wanted(section):
        arguments = torchrun.arguments(section, torchrun.of_script(shlex.split(lines[0])))
        environ = torchrun.environ(environ)
    else:
        arguments = ["/bin/sh", "-c", "\n".join(["set -e", *lines])]
    # what it says belongs into the log of the step; its group is the step's own
    done = subprocess.run(
        arguments, cwd=ground.context.root, env=environ, stdout=sys.stderr, check=False
    )
    if done.returncode:
        how = f"exit status {done.returncode}" if done.returncode > 0 else "a signal"
        raise StepFailed(
            f"the command of the training ended with {how}: {lines[0]}",
            code="training-failed",
            hint="its log tells why; correct it and run the same command again",
        )


def _made(ground: Ground, run: Run, out: Path) -> Trained:
    found = {path.name: path for path in sorted(out.iterdir()) if path.is_file()}
    for name, path in found.items():
        what = formats.of_bytes(path.read_bytes()[:16])
        if name.startswith(("model", "weights")) and what not in formats.ALLOWED:
            raise StepFailed(
                f"the command wrote {name}, which is {formats.told(what)}",
                code="format-not-allowed",
                hint="write model.onnx, or weights.safetensors: a pickle is never read",
            )
    arrays = weights.decode(found[weights.FILE].read_bytes()) if weights.FILE in found else {}
    if ground.parent is not None:
        run.went_on = True  # a command reads MLOPS_PARENT, or not: nobody can see
    if "model.onnx" in found:
        encoder = Encoder(run.features, ground.facts["label"], {}, run.classes)
        model = adopt.adopted(found["model.onnx"].read_bytes(), encoder, task=ground.task)
        return Written(model, encoder, arrays, _said(found.get(ANSWERS)))
    reference = ground.section.get("network")
    if not arrays or not reference:
        raise StepFailed(
            f"the command wrote {', '.join(found) or 'nothing'} to $MLOPS_OUT, and no model.onnx",
            code="model-missing",
            hint="write $MLOPS_OUT/model.onnx; or weights.safetensors, and name the function that "
            "builds the network: network: src/net.py:network",
        )
    return _network(ground, run, reference, arrays)


def _network(ground: Ground, run: Run, reference: str, arrays: dict[str, Any]) -> Trained:
    """Return the module that `network(params, run)` builds, with the weights of the command."""
    from mlops_cli.training import determinism, network

    root = ground.context.root
    function = usercode.load(root, reference, key="code", failed="training-failed")
    determinism.settle(run.seed)
    params = dict(ground.context.params)
    module = function(params, run)
    network.warmed(module, arrays)
    return network.Network(module.cpu().eval(), run.encoder, ground.task)


def _said(path: Path | None) -> Array | None:
    """Return the only column of answers.parquet, [rows] or [rows, classes]."""
    import numpy as np
    import pyarrow.parquet as pq

    if path is None:
        return None
    answers: Array = np.array(pq.read_table(path).column(0).to_pylist(), np.float64)
    return answers
