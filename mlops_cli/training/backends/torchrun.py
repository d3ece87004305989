"""Several workers by torchrun: the same code, each with its share of rows, gradients averaged.

When a worker dies, torchrun ends the others and starts all of them again; what is in the folder
`run.checkpoint` is still there.
https://docs.pytorch.org/docs/stable/elastic/run.html
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli import fsio
from mlops_cli.errors import ConfigError, MlopsError, StepFailed
from mlops_cli.pipeline.attempts import worker
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step
from mlops_cli.pipeline.traces import checkpoint

if TYPE_CHECKING:
    import pyarrow as pa

CHECKPOINT = checkpoint.VARIABLE
TOLD = "workers.json"


@dataclass(frozen=True, slots=True)
class Place:
    """Where this process stands among its fellows; alone it is the first of one."""

    rank: int = 0
    workers: int = 1
    restarts: int = 0
    checkpoint: Path | None = None
    told: Mapping[str, Any] | None = None

    def share(self, table: pa.Table) -> pa.Table:
        """Return every n-th row; all shares are equally long, so the last rows may come twice."""
        if self.workers == 1:
            return table
        each = -(-table.num_rows // self.workers)
        return table.take([(self.rank + n * self.workers) % table.num_rows for n in range(each)])


def wanted(section: Mapping[str, Any]) -> bool:
    """Return whether pipeline.yaml asks for torchrun."""
    return bool(section.get("backend", {}).get("kind") == "torchrun")


def inside() -> bool:
    """Return whether this process is a worker of torchrun."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def arguments(section: Mapping[str, Any], script: Sequence[str]) -> list[str]:
    """Return the command that starts `script`, a module and its arguments, in all workers."""
    backend = section["backend"]
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={backend.get('workers', 1)}",
        f"--max-restarts={backend.get('restarts', 3)}",
        "-m",
        *script,
    ]


def environ(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the workers: on this machine, one thread each."""
    return {**given, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}


def kept(scratch: Path) -> Path:
    """Return the folder that outlives a worker: that of the step, where it has a checkpoint."""
    folder = Path(os.environ.get(CHECKPOINT) or scratch / "checkpoint")
    folder.mkdir(exist_ok=True)
    return folder


def of_script(words: Sequence[str]) -> list[str]:
    """Return the module that tells of the workers and goes on with the user's script.

    Raises ConfigError ("not-a-script").
    """
    rest = list(words[1:])
    if not Path(words[0]).name.startswith("python") or not rest or rest[0].startswith("-"):
        raise ConfigError(
            f"torchrun starts a Python script, and the command is {' '.join(words)}",
            code="not-a-script",
            hint="write cmd: python FILE.py",
        )
    return ["mlops_cli.training.backends.script", *rest]


def launch(step: Step, context: RunContext, section: Mapping[str, Any]) -> Outcome:
    """Run the train step in all workers; return what the first of them answered.

    Raises StepFailed ("workers-failed"), or what a worker raised.
    """
    out = context.outs[step.outs[0]]
    with tempfile.TemporaryDirectory(dir=out.parent, prefix="workers-") as place:
        request, answer = Path(place) / "request.json", Path(place) / "answer.json"
        worker.write_request(
            request,
            step,
            root=context.root,
            outs=dict(context.outs),
            params=dict(context.params),
            seed=context.seed,
        )
        folder = kept(Path(place))
        module = ["mlops_cli.training.backends.rank", str(request), str(answer)]
        done = subprocess.run(
            arguments(section, module),
            cwd=context.root,
            env=environ({**os.environ, CHECKPOINT: str(folder)}),
            stdout=sys.stderr,
            check=False,
        )
        said = worker.read_answer(answer)
    if isinstance(said, MlopsError):
        raise said
    if done.returncode or said is None:
        raise StepFailed(
            "the workers of torchrun did not come to an end, not even after restarts",
            code="workers-failed",
            hint="the log of the step tells of each; `backend: {restarts: n}` allows for more",
        )
    return said


@contextlib.contextmanager
def joined() -> Iterator[Place]:
    """Join the other workers, if there are any, for the length of a training."""
    if not inside():
        folder = os.environ.get(CHECKPOINT)
        yield Place(checkpoint=Path(folder) if folder else None)
        return
    import torch.distributed as group
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    group.init_process_group("gloo")
    hook = register_optimizer_step_pre_hook(_average)
    told = numbers(os.environ)
    try:
        yield Place(
            group.get_rank(),
            group.get_world_size(),
            told["restarts"],
            Path(os.environ[CHECKPOINT]),
            told,
        )
        group.barrier()
    finally:
        hook.remove()
        group.destroy_process_group()


def _average(optimizer: Any, *_: Any) -> None:
    """Give every worker the mean of all gradients, which of equal shares is that of all rows."""
    import torch.distributed as group

    workers = group.get_world_size()
    for each in optimizer.param_groups:
        for parameter in each["params"]:
            if parameter.grad is not None:
                group.all_reduce(parameter.grad)
                parameter.grad /= workers


def numbers(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what is recorded of the workers, as torchrun tells it to each of them."""
    return {
        "kind": "torchrun",
        "world_size": int(environ["WORLD_SIZE"]),
        "restarts": int(environ["TORCHELASTIC_RESTART_COUNT"]),
    }


def write_told(out: Path) -> None:
    """Write beside the model what `told` reads."""
    fsio.write_atomic(out.parent / TOLD, json.dumps(numbers(os.environ)), durable=False)


def told(out: Path) -> dict[str, Any] | None:
    """Return what the first worker of a command wrote; None where there were none."""
    path = out.parent / TOLD
    found: dict[str, Any] | None = json.loads(path.read_bytes()) if path.is_file() else None
    return found
