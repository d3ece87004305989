"""Step 3, the type of the problem decides which metrics fit: others are refused, with the place."""

from __future__ import annotations

from typing import Any


def test_a_metric_that_does_not_fit_the_task_stops_the_training_before_it_begins(
    trained_project: Any,
) -> None:
    trained_project.edit("pipeline.yaml", "task: binary", "task: regression")
    refused = trained_project.mlops("train", code=10)
    assert "roc_auc" in refused["message"] and "regression" in refused["message"]
    told = trained_project.said("train", code=10)
    assert "pipeline.yaml:" in told and "rmse" in told, "the place, and a metric that fits"
