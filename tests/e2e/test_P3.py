"""P3, reproducibility: the same commit gives the same bytes, and a difference is named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any


def test_a_clone_with_an_empty_cache_makes_the_same_bytes(bare: Any, clone: Any) -> None:
    bare.mlops("run")
    again = clone(bare, "again")
    shutil.copytree(bare.root / "data", again.root / "data", dirs_exist_ok=True)
    done = again.mlops("run", "--force", "--no-commit")
    assert {step["did"] for step in done["steps"]} == {"ran"}
    assert again.git("status", "--short", "--", ".mlops/lock") == "", "every lock is as committed"
    assert again.lock("fit")["outputs"] == bare.lock("fit")["outputs"]


def test_a_clone_reproduces_a_model_from_its_commit(
    trained_project: Any, clone: Any, tmp_path: Path
) -> None:
    trained_project.here("remote", "add", "origin", str(tmp_path / "remote"))
    trained_project.here("push")
    again = clone(trained_project, "again")
    again.here("remote", "add", "origin", str(tmp_path / "remote"))
    told = again.mlops("reproduce", "HEAD", "--verify")
    assert told["verdict"] == "identical"
    assert [one["step"] for one in told["steps"]][-2:] == ["train.storm", "evaluate.storm"]


def test_an_edited_param_is_named_with_its_step_and_both_values(bare: Any) -> None:
    bare.mlops("run")
    was = bare.lock("fit")["parts"]["params"]
    bare.edit("params.yaml", "ridge: ", "ridge: 1")
    sentence = bare.here("explain", "fit")["because"][0]["sentence"]
    assert "fit.ridge" in sentence, was
    bare.git("commit", "--no-verify", "-qam", "an edit that nobody ran")
    told = bare.mlops("reproduce", code=1)
    assert (told["verdict"], told["first"]) == ("differs", "fit")
    assert [(one["part"], one["name"]) for one in told["because"]] == [("params", "fit.ridge")]
    assert told["because"][0]["sentence"] == sentence
