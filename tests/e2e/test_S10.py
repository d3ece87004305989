"""Step 10, preprocessing: it runs under the orchestrator and leaves its metadata."""

from __future__ import annotations

from typing import Any


def test_one_step_can_be_run_by_name_and_shown(bare: Any) -> None:
    done = bare.mlops("run", "clean")
    assert {step["step"]: step["did"] for step in done["steps"]} == {"clean": "ran"}
    (step,) = bare.mlops("runs", "show", done["run"])["steps"]
    assert step["step"] == "clean" and step["status"] == "done"
    assert "data/days.csv" in step["inputs"] and "out/days.csv" in step["outputs"]
    assert bare.mlops("lineage", "out/days.csv", "--up")["nodes"]
