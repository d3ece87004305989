"""The evaluate step scores what will be served, on rows kept apart."""

import json

import pyarrow.parquet as pq
import pytest

from mlops_cli.errors import NotFound, StepFailed
from mlops_cli.training import metrics
from mlops_cli.training.evaluate import EvaluateStep


def test_metrics_slices_scores_and_predictions_agree_with_each_other(
    world, training, evaluate_step, context
):
    outcome = EvaluateStep().run(evaluate_step, context)
    out = world / "out/m/evaluation"
    predictions = pq.read_table(out / "predictions.parquet")
    assert predictions.column_names == ["id", "at", "label", "score"]
    label, score = predictions["label"].to_numpy(), predictions["score"].to_numpy()
    report = json.loads((out / "metrics.json").read_text())
    assert report["rows"] == 300 and report["split"] == "test"
    assert report["metrics"]["roc_auc"] == pytest.approx(metrics.roc_auc.measure(label, score))
    assert outcome.metrics == report["metrics"]
    assert outcome.facts["golden"]["passed"] and outcome.facts["golden"]["rows"] == 65
    slices = json.loads((out / "slices.json").read_text())["slices"]["origin"]
    assert [item["value"] for item in slices] == ["EWR", "JFK", "LGA"]
    assert sum(item["rows"] for item in slices) == 300
    scores = json.loads((out / "scores.json").read_text())["columns"]["score"]
    assert sum(scores["counts"]) == 300 and len(scores["counts"]) == len(scores["edges"]) + 1


def test_a_metric_that_the_rows_do_not_define_is_null_and_not_recorded(
    world, training, evaluate_step, context
):
    test = world / "out/m/dataset/test.parquet"
    table = pq.read_table(test)
    pq.write_table(table.filter([late == 0 for late in table["late"].to_pylist()]), test)
    outcome = EvaluateStep().run(evaluate_step, context)
    assert "roc_auc" not in outcome.metrics and outcome.metrics["log_loss"] > 0
    report = json.loads((world / "out/m/evaluation/metrics.json").read_text())
    assert report["metrics"]["roc_auc"] is None


def test_no_test_rows_and_no_model_are_refused(world, evaluate_step, context):
    with pytest.raises(NotFound, match=r"model\.onnx is missing"):
        EvaluateStep().run(evaluate_step, context)
    test = world / "out/m/dataset/test.parquet"
    pq.write_table(pq.read_table(test).slice(0, 0), test)
    with pytest.raises(StepFailed, match="no test rows"):
        EvaluateStep().run(evaluate_step, context)
