"""The folder of a trained model: the ONNX file, held against its framework, and its papers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_cli import encode, fsio
from mlops_cli.errors import StepFailed
from mlops_cli.pipeline.runner import Outcome
from mlops_cli.training import compress, dataset, golden, graphs, schema, score, weights
from mlops_cli.training.estimator import Estimator
from mlops_cli.training.evaluate import DEFAULTS, measure
from mlops_cli.training.golden import Agreement

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_cli.training.ground import Ground
    from mlops_cli.training.session import Run
    from mlops_cli.training.trained import Trained

FORMAT = "mlops.training/1"
PARITY_ROWS = 4096


def write(
    ground: Ground, run: Run, made: Trained, *, backend: Mapping[str, Any] | None = None
) -> Outcome:
    """Write the folder of the model and return what is told of it.

    Golden answers are those of the framework; of a compressed model they are its own, as it is
    another model by intent, and how much worse it is on the validation rows is recorded.
    """
    export = ground.section.get("export", {})
    allowed = float(export.get("parity", 1e-5))
    exported = made.onnx(ground.train)
    described = schema.describe(exported, run.encoder, ground.train, task=ground.task)
    for item in described["inputs"]:
        item["nullable"] = item["nullable"] and _copes(
            made, exported, ground.train.slice(0, 16), item["name"], allowed
        )
    names = [item["name"] for item in described["inputs"]]
    nullable = [item["name"] for item in described["inputs"] if item["nullable"]]
    rows = ground.validate.select(names)
    parity = _parity(made, exported, rows, nullable, allowed=allowed)
    chosen = _with_gaps(golden.choose(ground.validate, names), nullable)
    model = compress.compressed(exported, export)
    answers = made.answers(chosen) if model is None else score.score(model, chosen)
    told = {
        "parity": parity.to_plain(),
        "rows": {"train": ground.train.num_rows, "validate": ground.validate.num_rows},
        "seed": run.seed,
    }
    if ground.parent is not None:
        told["parent"] = {"model": ground.parent.model, "name": ground.parent.name}
        if ground.parent.incremental:
            told["incremental"] = {"after": ground.parent.after, "of": ground.of}
    if backend:
        told["backend"] = dict(backend)
    metrics = {f"train.{name}": value for name, value in _last(run).items()}
    if model is not None:
        told["compressed"], changes = _compression(ground, exported, model, export)
        metrics |= changes
    files: dict[str, bytes | str] = {
        "model.onnx": model or exported,
        "schema.json": encode.readable_json(described),
        "golden.arrow": golden.encode(chosen, answers, output=graphs.output_name(ground.task)),
        "training.json": encode.readable_json({"schema": FORMAT, "history": run.history, **told}),
    }
    if kept := _weights(ground, made):
        files[weights.FILE] = kept
    profile = ground.folder / "profile.json"
    if profile.is_file():
        files["profile.json"] = profile.read_bytes()
    for name, data in files.items():
        fsio.write_atomic(ground.out / name, data, durable=False)
    facts = {"parameters": made.parameters, **told}
    return Outcome(metrics=metrics, facts={k: v for k, v in facts.items() if v is not None})


def _with_gaps(rows: pa.Table, nullable: list[str]) -> pa.Table:
    """Return `rows` and one more, in which nothing is known that may be unknown."""
    import pyarrow as pa

    return pa.concat_tables([rows, schema.without(rows.slice(0, 1), *nullable)])


def _copes(made: Trained, model: bytes, rows: pa.Table, name: str, allowed: float) -> bool:
    """Return whether the framework, too, copes when the column is missing, and agrees.

    The trees of scikit-learn send a missing number elsewhere than those of ONNX do.
    """
    if not isinstance(made, Estimator):
        return True
    missing = schema.without(rows, name)
    try:
        theirs = made.answers(missing)
    except StepFailed:
        return False
    return golden.agreement(score.score(model, missing), theirs, allowed=allowed).passed


def _parity(
    made: Trained, model: bytes, rows: pa.Table, nullable: list[str], *, allowed: float
) -> Agreement:
    """Return the evidence that `model` answers as its framework does."""
    import numpy as np

    held = getattr(made, "held", None)
    if held is not None:  # of a command: what it wrote about the validation rows, if anything
        theirs = held(rows)
        if theirs is None:
            return Agreement(0, None, allowed)
        ours = score.score(model, rows)
    else:
        table = _with_gaps(rows.slice(0, PARITY_ROWS), nullable)
        theirs, ours = made.answers(table), score.score(model, table)
    if unanswered := int((~np.isfinite(theirs).reshape(len(theirs), -1).all(1)).sum()):
        raise StepFailed(
            f"the model gives no number for {unanswered} of {len(theirs)} rows",
            code="not-finite",
            hint="replace NaN inside forward: torch.where(torch.isnan(numeric), …)",
        )
    parity = golden.agreement(ours, theirs, allowed=allowed)
    if not parity.passed:
        raise StepFailed(
            f"the ONNX file is {parity.max_abs:.3g} away from the model, allowed are {allowed:g}",
            code="parity-broken",
            hint="forward may use neither randomness nor other rows, trees need an imputer where "
            "numbers are missing; or raise export.parity",
        )
    return parity


def _compression(
    ground: Ground, before: bytes, after: bytes, export: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return what is told of a compression, and by how much each metric changed."""
    label = dataset.labels(ground.validate, ground.facts)
    names = DEFAULTS.get(ground.task, ())
    scores = [score.score(each, ground.validate) for each in (before, after)]
    was, now = (measure(label, each, names) for each in scores)
    told = {
        **{word: export[word] for word in ("quantize", "prune") if export.get(word)},
        "bytes": {"before": len(before), "after": len(after)},
        "zeros": round(compress.zeros(after), 6),
        "validate": {"before": was, "after": now},
    }
    changes = {
        f"compressed.{name}.change": new - old
        for name, old in was.items()
        if old is not None and (new := now[name]) is not None
    }
    return told, changes | {"compressed.bytes": float(len(after))}


def _weights(ground: Ground, made: Trained) -> bytes | None:
    wanted = ground.section.get("export", {}).get("weights")
    if not wanted and not ground.section.get("warm_start"):
        return None
    arrays = made.weights()
    if not arrays:
        raise StepFailed(
            "the training kept no weights from which another one could go on",
            code="no-weights",
            hint="call run.keep(name=array), or write weights.safetensors",
        )
    return weights.encode(arrays)


def _last(run: Run) -> dict[str, float]:
    return {k: v for k, v in run.history[-1].items() if k != "step"} if run.history else {}
