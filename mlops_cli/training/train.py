"""The train step: the user's function makes a torch module, which becomes a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli import encode, fsio
from mlops_cli.errors import MissingExtra, StepFailed
from mlops_cli.pipeline.model import Step
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.training import dataset, usercode
from mlops_cli.training.session import Run

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "mlops.training/1"
PARITY_ROWS = 4096


class TrainStep:
    """config: {name, train, task}; deps[0] is the dataset, outs[0] the folder of the model."""

    def run(self, step: Step, context: RunContext) -> Outcome:
        """Train, export, hold the export against the network on stored rows, write the folder.

        Raises StepFailed: "training-failed", "no-training-rows", "not-a-module", "wrong-shape",
        "not-finite", "not-exportable", "parity-broken".
        """
        section: Mapping[str, Any] = step.config["train"]
        task = str(step.config.get("task", "binary"))
        folder, out = context.root / step.deps[0], context.outs[step.outs[0]]
        facts = dataset.facts(folder)
        train, validate = dataset.rows(folder, "train"), dataset.rows(folder, "validate")
        if not train.num_rows or not validate.num_rows:
            raise StepFailed(
                f"{train.num_rows} rows to train on, {validate.num_rows} to validate",
                code="no-training-rows",
                hint="widen dataset.window or the split in pipeline.yaml",
            )
        seed = int(context.params.get("seed", context.seed))
        run = Run(
            train,
            facts["features"],
            facts["label"],
            seed=seed,
            progress=context.progress,
            live=context.live,
        )
        module = _train(section["code"], train, validate, context, run)
        allowed = float(section.get("export", {}).get("parity", 1e-5))
        parity = _write(out, module, run, train, validate, task=task, allowed=allowed)
        profile = folder / "profile.json"
        if profile.is_file():
            fsio.write_atomic(out / "profile.json", profile.read_bytes(), durable=False)
        return Outcome(
            metrics={f"train.{name}": value for name, value in _last(run).items()},
            facts={
                "parity": parity,
                "rows": {"train": train.num_rows, "validate": validate.num_rows},
                "parameters": sum(item.numel() for item in module.parameters()),
                "seed": seed,
            },
        )


def _train(
    reference: str, train: pa.Table, validate: pa.Table, context: RunContext, run: Run
) -> Any:
    from mlops_cli.training import determinism

    try:
        import torch
    except ImportError as exc:
        raise MissingExtra.of("torch", "torch") from exc
    function = usercode.load(context.root, reference)
    determinism.settle(run.seed)
    where = reference.partition(":")[0]
    file = fsio.inside(context.root, where)
    module = usercode.call(
        function, train, validate, dict(context.params), run, file=file, where=where
    )
    if not isinstance(module, torch.nn.Module):
        raise StepFailed(
            f"{reference} returned {type(module).__name__}, not a torch.nn.Module",
            code="not-a-module",
            hint="end the function with: return network",
        )
    return module.cpu().eval()


def _write(
    out: Path,
    module: Any,
    run: Run,
    train: pa.Table,
    validate: pa.Table,
    *,
    task: str,
    allowed: float,
) -> dict[str, Any]:
    """Write the folder of the model; return the evidence of parity."""
    import pyarrow as pa

    from mlops_cli.training import export, golden, schema

    _answers(module, run, validate.slice(0, 4))  # what forward gets wrong shows before export
    model = export.export(module, run.encoder, train, task=task)
    described = schema.describe(model, run.encoder, train, task=task)
    names = [item["name"] for item in described["inputs"]]
    nullable = [item["name"] for item in described["inputs"] if item["nullable"]]
    missing = schema.without(validate.select(names).slice(0, 1), *nullable)  # nothing known in it
    held = pa.concat_tables([validate.select(names).slice(0, PARITY_ROWS), missing])
    parity = _hold(module, run, model, held, allowed=allowed)
    chosen = pa.concat_tables([golden.choose(validate, names), missing])
    answers = _answers(module, run, chosen)
    training = {
        "schema": FORMAT,
        "history": run.history,
        "parity": parity,
        "rows": {"train": train.num_rows, "validate": validate.num_rows},
        "seed": run.seed,
    }
    files: dict[str, bytes | str] = {
        "model.onnx": model,
        "schema.json": encode.readable_json(described),
        "golden.arrow": golden.encode(chosen, answers, output=export.output_name(task)),
        "training.json": encode.readable_json(training),
    }
    for name, data in files.items():
        fsio.write_atomic(out / name, data, durable=False)
    return parity


def _answers(module: Any, run: Run, table: pa.Table) -> Any:
    import torch

    tensors = run.encoder.tensors(table)
    with torch.no_grad():
        answers = usercode.call(
            module, tensors.numeric, tensors.codes, file=Path(), where="forward of the model"
        )
    shape = tuple(getattr(answers, "shape", ()))
    if shape != (table.num_rows,):
        raise StepFailed(
            f"forward gave the shape {shape} for {table.num_rows} rows, not [rows]",
            code="wrong-shape",
            hint="end forward with .squeeze(1)",
        )
    return answers.float().numpy()


def _hold(module: Any, run: Run, model: bytes, held: pa.Table, *, allowed: float) -> dict[str, Any]:
    """Return the evidence that `model` answers as `module` does on the rows `held`."""
    import numpy as np

    from mlops_cli.training import golden, score

    theirs = _answers(module, run, held)
    if unanswered := int((~np.isfinite(theirs)).sum()):
        raise StepFailed(
            f"the model gives no number for {unanswered} of {len(theirs)} rows",
            code="not-finite",
            hint="replace NaN inside forward: torch.where(torch.isnan(numeric), …)",
        )
    parity = golden.agreement(score.score(model, held), theirs, allowed=allowed)
    if not parity.passed:
        raise StepFailed(
            f"the ONNX file is {parity.max_abs:.3g} away from the network, allowed are {allowed:g}",
            code="parity-broken",
            hint="forward may use neither randomness nor other rows; or raise export.parity",
        )
    return parity.to_plain()


def _last(run: Run) -> dict[str, float]:
    return {k: v for k, v in run.history[-1].items() if k != "step"} if run.history else {}
