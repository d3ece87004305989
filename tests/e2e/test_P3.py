"""P3, reproducibility: the same commit gives the same bytes, and a difference is named.

Missing: `mlops reproduce RUN --verify`; here a clone with an empty cache runs everything again.
"""

from __future__ import annotations

import shutil
from typing import Any


def test_a_clone_with_an_empty_cache_makes_the_same_bytes(bare: Any, clone: Any) -> None:
    bare.mlops("run")
    again = clone(bare, "again")
    shutil.copytree(bare.root / "data", again.root / "data", dirs_exist_ok=True)
    done = again.mlops("run", "--force", "--no-commit")
    assert {step["did"] for step in done["steps"]} == {"ran"}
    assert again.git("status", "--short", "--", ".mlops/lock") == "", "every lock is as committed"
    assert again.lock("fit")["outputs"] == bare.lock("fit")["outputs"]


def test_a_training_that_is_repeated_gives_the_same_model(trained_project: Any) -> None:
    model = trained_project.lock("train.storm")["outputs"]["out/storm/model"]["digest"]
    done = trained_project.mlops("run", "train.storm", "--force", "--no-commit")
    assert "ran" in {step["did"] for step in done["steps"]}
    assert trained_project.lock("train.storm")["outputs"]["out/storm/model"]["digest"] == model


def test_an_edited_param_is_named_with_both_values(bare: Any) -> None:
    bare.mlops("run")
    before = bare.lock("fit")["parts"]
    bare.edit("params.yaml", "ridge: ", "ridge: 1")
    because = bare.mlops("explain", "fit")["because"]
    assert "fit.ridge" in because[0]["sentence"], (because, before)
