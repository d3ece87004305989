"""Step 15, algorithm and parameters: they are part of the key, and each training tells its own.

Any framework: docs/how-to/train.md trains with scikit-learn, test_P6 by a command.
"""

from __future__ import annotations

from typing import Any


def test_a_changed_param_makes_the_training_stale_and_nothing_before_it(
    trained_project: Any,
) -> None:
    trained_project.edit("params.yaml", "epochs: 30", "epochs: 31")
    plan = {s["step"]: s for s in trained_project.mlops("train", "--dry-run")["steps"]}
    stale = [name for name, step in plan.items() if step["action"] != "skip"]
    assert stale == ["train.storm", "evaluate.storm"]
    (reason, *_) = plan["train.storm"]["because"]
    assert (
        "epochs" in reason["sentence"] and "30" in reason["sentence"] and "31" in reason["sentence"]
    )


def test_two_trainings_are_told_apart_by_their_params_and_metrics(trained_project: Any) -> None:
    found = trained_project.mlops("runs", "search", "step = train.storm and status = done")
    epochs = {str(record["params"]) for record in found["records"]}
    assert len(epochs) == 2, epochs
    scores = trained_project.mlops("runs", "search", "metrics.roc_auc > 0")["records"]
    assert len({record["metrics"]["roc_auc"] for record in scores}) == 2
