"""P7, metadata of every task: each step of each run has a record, without a line of user code."""

from __future__ import annotations

from typing import Any


def test_a_run_tells_times_params_inputs_and_outputs_of_each_step(demo: Any) -> None:
    steps = demo.mlops("runs", "show", "latest")["steps"]
    assert {step["step"] for step in steps} >= {"dataset.delay", "train.delay", "evaluate.delay"}
    for step in steps:
        for field in ("started", "seconds", "params", "inputs", "outputs", "environment", "code"):
            assert step[field] is not None, (step["step"], field)
        assert step["inputs"] and step["outputs"] and step["code"]["commit"]
    (train,) = (step for step in steps if step["step"] == "train.delay")
    assert train["params"], "what was trained with is told"


def test_runs_that_failed_and_steps_that_were_restored_are_recorded_too(bare: Any) -> None:
    bare.mlops("run")
    right = (bare.root / "src/fit.py").read_text()
    (bare.root / "src/fit.py").write_text("raise SystemExit(3)\n")
    bare.mlops("run", code=60)
    bare.edit("params.yaml", "ridge: ", "ridge: 7")
    (bare.root / "src/fit.py").write_text(right)
    bare.mlops("run")
    bare.git("checkout", "-q", "params.yaml")
    bare.mlops("run")
    told = [
        (step["step"], step["status"])
        for run in bare.mlops("runs", "list")["runs"]
        for step in run["steps"]
    ]
    assert ("fit", "failed") in told
    assert ("fit", "cached") in told
    assert told.count(("fit", "done")) == 2


KILLER = """
import os, pathlib, signal
pid = os.getpid()
while b"mlops\\0run" not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
    pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
os.kill(pid, signal.SIGKILL)
"""


def test_what_a_killed_run_left_is_recorded_by_hand(bare: Any) -> None:
    (bare.root / "src/fit.py").write_text(KILLER)
    bare.run("mlops", "run", code=-9)
    assert [one["step"] for one in bare.mlops("runs", "recover", "--dry-run")["attempts"]]
    bare.mlops("runs", "recover")
    (killed,) = bare.mlops("runs", "search", "status = killed and step = fit")["records"]
    assert killed["error"]["code"] == "interrupted" and killed["started"]
    assert bare.mlops("runs", "recover")["records"] == []


def test_lineage_goes_from_data_down_to_the_models(demo: Any) -> None:
    up = demo.mlops("lineage", "delay@v1", "--up")["nodes"]
    data = {node["label"]: node["digest"] for node in up if node["kind"] == "data"}
    assert {"data/flights", "data/weather"} <= set(data)
    uses = demo.mlops("lineage", data["data/flights"], "--down")["uses"]
    assert [one["name"] for one in uses["models"]] == ["delay@v1"], "no other saw these bytes"
    assert ("delay@production", 1) in {(one["name"], one["version"]) for one in uses["aliases"]}
    assert ("prod", 1) in {(one["environment"], one["version"]) for one in uses["deployments"]}
