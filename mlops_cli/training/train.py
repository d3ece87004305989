"""The train step: any framework's code makes a model, which becomes a file of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import MissingExtra, StepFailed
from mlops_cli.pipeline import usercode
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step
from mlops_cli.training import command, papers
from mlops_cli.training.backends import torchrun
from mlops_cli.training.ground import Ground, ground

if TYPE_CHECKING:
    from mlops_cli.training.session import Run
    from mlops_cli.training.trained import Trained


class TrainStep:
    """config: {name, train, task}; deps[0] is the dataset, outs[0] the folder of the model."""

    revision = 1

    def run(self, step: Step, context: RunContext) -> Outcome:
        """Train, export, hold the export against its framework on stored rows, write the folder.

        Raises StepFailed: "training-failed", "no-training-rows", "not-a-model", "wrong-shape",
        "not-finite", "not-exportable", "parity-broken", "parent-unused", "nothing-to-compress".
        """
        stands = ground(step, context)
        if stands.section.get("cmd"):
            run, made, told = command.train(stands)
            return papers.write(stands, run, made, backend=told)
        if torchrun.wanted(stands.section) and not torchrun.inside():
            return torchrun.launch(step, context, stands.section)
        with torchrun.joined() as place:
            run = stands.run(rank=place.rank, workers=place.workers, checkpoint=place.checkpoint)
            made = _called(stands, run, place)
        if run.rank:
            return Outcome()  # the first worker tells and writes; the others have the same model
        return papers.write(stands, run, made, backend=place.told)


def _called(stands: Ground, run: Run, place: torchrun.Place) -> Trained:
    """Return what the user's function made of the rows of this worker."""
    from mlops_cli.training import determinism, estimator, network

    root, reference = stands.context.root, stands.section["code"]
    function = usercode.load(root, reference, key="code", failed="training-failed")
    determinism.settle(run.seed, torch=_uses_torch(function.file))
    params = dict(stands.context.params)
    rows = place.share(stands.train)
    made = function(rows, stands.validate, params, run)
    if stands.parent is not None and not run.went_on:
        raise StepFailed(
            f"{reference} did not go on from {stands.parent.name}, as warm_start asks",
            code="parent-unused",
            hint="call run.warm(network) before the first epoch, or read run.parent",
        )
    if estimator.is_estimator(made):
        return estimator.Estimator(made, run.encoder, stands.task, run.kept)
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(made, torch.nn.Module):
        raise StepFailed(
            f"{reference} returned {type(made).__name__}, neither a torch.nn.Module nor a "
            "scikit-learn estimator",
            code="not-a-model",
            hint="end the function with: return network",
        )
    return network.Network(made.cpu().eval(), run.encoder, stands.task)


def _uses_torch(file: Any) -> bool:
    """Return whether torch is, or will be, imported by the user's code; raises MissingExtra."""
    if "torch" in sys.modules:
        return True
    if b"torch" not in file.read_bytes():
        return False
    try:
        import torch  # noqa: F401
    except ImportError as exc:
        raise MissingExtra.of("torch", "torch") from exc
    return True
