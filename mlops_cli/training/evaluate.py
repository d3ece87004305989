"""The evaluate step: the exported model, as it will be served, on rows it has not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli import encode, fsio
from mlops_cli.errors import StepFailed
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step
from mlops_cli.training import dataset, golden

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_cli.training.metrics import Array

FORMAT = "mlops.metrics/1"
SLICES = "mlops.slices/1"
SLICE_ROWS = 50  # a smaller slice says nothing and is left out
DEFAULTS = {
    "binary": ("roc_auc", "log_loss", "brier"),
    "multiclass": ("log_loss", "accuracy", "macro_f1"),
    "regression": ("rmse", "mae"),
}


class EvaluateStep:
    """config: {name, metrics, slices, task}; deps are the dataset and the model."""

    revision = 1

    def run(self, step: Step, context: RunContext) -> Outcome:
        """Write metrics.json, slices.json, scores.json and predictions.parquet; tell how far the
        model is from its golden answers, which is judged by `register`.

        Raises StepFailed ("no-test-rows"), ConfigError ("unknown-metric").
        """
        from mlops_cli.training import score, scores

        folder, model = context.root / step.deps[0], context.root / step.deps[1]
        out = context.outs[step.outs[0]]
        facts, test = dataset.facts(folder), dataset.rows(folder, "test")
        if not test.num_rows:
            raise StepFailed(
                "the dataset has no test rows", code="no-test-rows", hint="raise split.test"
            )
        names = step.config.get("metrics") or DEFAULTS.get(step.config.get("task", "binary"), ())
        label = dataset.labels(test, facts)
        session = score.open_model(dataset.file(model, "model.onnx").read_bytes())
        answer = score.score(session, test)
        values = measure(label, answer, names)
        report = {
            "schema": FORMAT,
            "split": "test",
            "rows": test.num_rows,
            "start": facts.get("split", {}).get("test", {}).get("start"),
            "end": facts.get("split", {}).get("test", {}).get("end"),
            "metrics": values,
            "label_mean": float(label.mean()),
            "score_mean": float(answer.mean()),
        }
        sliced = slices(test, step.config.get("slices", ()), label, answer, names)
        _json(out / "metrics.json", report)
        _json(out / "slices.json", {"schema": SLICES, "slices": sliced})
        _json(out / "scores.json", scores.profile(_surety(answer)))
        _predictions(out / "predictions.parquet", test, facts, label, answer)
        return Outcome(
            metrics={name: value for name, value in values.items() if value is not None},
            facts={"rows": test.num_rows, **_golden(model, session)},
        )


def _golden(folder: Path, session: Any) -> dict[str, Any]:
    """Return how far the open model of `folder` is from the golden answers beside it, as a fact:
    the key of this step names the folder by its digest, so `register` need not ask again."""
    papers, rows = folder / "training.json", folder / "golden.arrow"
    if not (papers.is_file() and rows.is_file()):
        return {}  # others made the model
    allowed = golden.bound(encode.parse_json(papers.read_bytes(), source=papers.name))
    return {"golden": golden.check(session, rows.read_bytes(), allowed=allowed).to_plain()}


def measure(label: Array, answer: Array, names: Sequence[str]) -> dict[str, float | None]:
    """Return the metrics `names` of scores against labels; None where one is undefined."""
    from mlops_cli.training import metrics

    found = {name: metrics.find(name).measure(label, answer) for name in names}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def slices(
    test: pa.Table, wanted: Sequence[str], label: Array, answer: Array, names: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return by column, for each of its values with enough rows, {value, rows, metrics}."""
    import pyarrow.compute as pc

    found: dict[str, list[dict[str, Any]]] = {}
    for column in wanted:
        if column not in test.column_names:
            raise StepFailed(
                f"the dataset has no column {column!r} to slice by",
                code="column-missing",
                hint=f"columns: {', '.join(test.column_names)}",
            )
        values = test[column].combine_chunks()
        distinct = sorted(value for value in pc.unique(values).to_pylist() if value is not None)
        found[column] = []
        for value in distinct:
            rows = pc.fill_null(pc.equal(values, value), False).to_numpy(zero_copy_only=False)
            if (count := int(rows.sum())) >= SLICE_ROWS:
                measured = measure(label[rows], answer[rows], names)
                found[column].append({"value": value, "rows": count, "metrics": measured})
    return found


def _surety(answer: Array) -> Array:
    return answer.max(1) if answer.ndim > 1 else answer


def _json(path: Path, value: Any) -> None:
    fsio.write_atomic(path, encode.readable_json(value), durable=False)


def _predictions(
    path: Path, test: pa.Table, facts: dict[str, Any], label: Array, answer: Array
) -> None:
    """Write key columns, time, label and score: what a later comparison can be made of.

    Of a multiclass task also the probabilities; its score is that of the likeliest class.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    key = facts.get("key") or []
    kept = dict.fromkeys([*([key] if isinstance(key, str) else key), facts.get("time")])
    table = test.select([name for name in kept if name in test.column_names])
    table = table.replace_schema_metadata(None)
    table = table.append_column("label", pa.array(label, pa.float32()))
    table = table.append_column("score", pa.array(_surety(answer), pa.float32()))
    if answer.ndim > 1:
        flat = pa.array(answer.ravel(), pa.float32())
        rows = pa.FixedSizeListArray.from_arrays(flat, answer.shape[1])
        table = table.append_column("probabilities", rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", use_content_defined_chunking=True)
