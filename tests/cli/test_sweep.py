"""`mlops run -S` and `mlops sweep`: params tried elsewhere, results in the ledger."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PIPELINE = """\
version: 1
project: {name: small}
steps:
  clean:
    cmd: mkdir -p out && sort data/raw.txt > out/clean.txt
    deps: [data/raw.txt]
    outs: [out/clean.txt]
  fit:
    cmd: python -S src/fit.py ${params.fit.scale} ${params.fit.power}
    deps: [out/clean.txt, src/fit.py]
    params: [params.yaml:fit]
    outs: [out/metrics.json]
    metrics: [out/metrics.json]
"""
FIT = """\
import json, pathlib, sys
scale, power = map(float, sys.argv[1:3])
if scale < 0:
    sys.exit("scale is negative")
pathlib.Path("out/metrics.json").write_text(json.dumps({"score": scale ** power}))
"""
PARAMS = "# ours\nfit:\n  scale: 2  # how much\n  power: 1\nrest: {lr: 0.1}\n"


@pytest.fixture
def made(repo: Path, git: Callable[..., str], mlops: Any) -> Path:
    for folder in ("data", "src"):
        (repo / folder).mkdir()
    (repo / "data/raw.txt").write_text("3\n1\n2\n")
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "params.yaml").write_text(PARAMS)
    (repo / "src/fit.py").write_text(FIT)
    (repo / ".gitignore").write_text("/out/\n/.mlops/*\n!/.mlops/lock/\n")
    mlops("add", "data/raw.txt", code=0)
    git("add", "-A")
    git("commit", "-qm", "a project")
    mlops("run", code=0)
    return repo


def state_of(repo: Path, git: Any) -> tuple[str, ...]:
    files = sorted(p for p in repo.rglob("*") if p.is_file() and ".git" not in p.parts)
    ours = [p for p in files if ".mlops" not in p.relative_to(repo).parts]
    return (git("rev-parse", "HEAD"), git("status", "--short"), *(p.read_text() for p in ours))


def test_one_value_is_an_experiment_that_leaves_the_tree_alone(
    made: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    (made / "src/fit.py").write_text(FIT + "# an edit that nobody committed\n")
    before = state_of(made, git)
    result = mlops("run", "-S", "fit.scale=3", "--json", code=0)
    assert_valid(result.json)
    assert "fit.scale=3; score 3" in mlops("runs", "list", code=0).stdout
    (trial,) = result.data["trials"]
    assert (trial["set"], trial["metrics"]) == ({"fit.scale": 3}, {"score": 3.0})
    assert state_of(made, git) == before
    assert git("stash", "list") == ""
    steps = mlops("runs", "show", trial["run"], "--json", code=0).data["steps"]
    record = next(step for step in steps if step["step"] == "fit")
    assert record["experiment"]["set"] == {"fit.scale": 3}
    assert record["params"]["fit.scale"] == 3
    commit = git("rev-parse", f"refs/mlops/experiments/{trial['run']}").strip()
    assert git("show", f"{commit}:params.yaml") == PARAMS.replace("scale: 2", "scale: 3")
    assert "nobody committed" in git("show", f"{commit}:src/fit.py"), "it began with the tree"
    told = mlops("reproduce", trial["run"], "--json", code=0).data
    assert told["verdict"] == "identical", "an experiment is reproduced as any run"


def test_several_values_are_a_sweep(made: Path, mlops: Any, git: Any, assert_valid: Any) -> None:
    before = state_of(made, git)
    words = ("run", "-S", "fit.scale=1,4", "-S", "fit.power=2", "fit", "-j", "2", "--json")
    result = mlops(*words, code=0)
    assert_valid(result.json)
    found = [(t["set"]["fit.scale"], t["metrics"]["score"]) for t in result.data["trials"]]
    assert found == [(1, 1.0), (4, 16.0)]
    assert state_of(made, git) == before
    sweep = result.data["sweep"]
    records = mlops("runs", "search", f"experiment.sweep = {sweep}", "--json", code=0).data
    fits = [r for r in records["records"] if r["step"] == "fit"]
    assert sorted(r["experiment"]["trial"] for r in fits) == [0, 1]
    assert not list((made / ".mlops/scratch").glob("mlops-*"))


def test_an_unknown_key_is_answered_with_the_nearest(made: Path, mlops: Any) -> None:
    error = mlops("run", "-S", "fit.scael=1", "--json", code=2).error
    assert (error["code"], "fit.scale" in error["hint"]) == ("unknown-param", True)
    for words, code in (
        (("fit.scale",), "bad-value"),
        (("fit.scale=1", "fit.scale=2"), "bad-value"),
        (("fit.scale=9..1",), "bad-value"),
        (("fit.scale=1..9",), "bad-options"),
        ((), "bad-options"),
        (("fit.scale=1,2", "--optuna", "3"), "bad-options"),
        (("--resume", "nope"), "unknown-sweep"),
    ):
        assert mlops("sweep", *words, "--json").error["code"] == code, words


def test_a_step_that_fails_is_a_failed_trial_beside_the_others(made: Path, mlops: Any) -> None:
    error = mlops("run", "-S", "fit.scale=-1", "--json", code=60).error
    assert "scale is negative" in error["message"]
    words = ("sweep", "fit.scale=-1,5", "-s", "fit", "-m", "score", "-j", "2")
    result = mlops(*words, "--json", code=0)
    assert [trial["status"] for trial in result.data["trials"]] == ["failed", "done"]
    assert result.data["best"] == 1
    assert "Trial 0 failed" in result.json["warnings"][0]


def test_a_killed_sweep_goes_on_and_repeats_nothing_that_ended(
    made: Path, mlops: Any, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    wait = f"import time\nwhile scale > 2 and pathlib.Path({str(gate)!r}).exists():\n"
    (made / "src/fit.py").write_text(f"{FIT}{wait}    time.sleep(0.02)\n")
    words = [sys.executable, "-m", "mlops_cli", "sweep", "fit.scale=1,2,3", "-s", "fit"]
    child = subprocess.Popen(words, cwd=made, stderr=subprocess.DEVNULL, process_group=0)
    folder = until(lambda: list((made / ".mlops/sweeps").glob("*/2.place")))[0].parent
    until(lambda: runs_in(folder))
    os.kill(child.pid, signal.SIGKILL)
    for pid in _children_of(made / ".mlops/sweeps"):
        os.kill(pid, signal.SIGKILL)
    child.wait()
    lines = (folder / "state.jsonl").read_text().splitlines()
    assert [json.loads(one)["end"]["number"] for one in lines if '"end"' in one] == [0, 1]
    (made / "src/fit.py").write_text(FIT)  # what stands here by now does not matter to the sweep
    (folder / "2.place").unlink()
    child = subprocess.Popen([*words[:4], "--resume", "latest"], cwd=made, process_group=0)
    until(lambda: runs_in(folder))
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 130
    assert not list((made / ".mlops/scratch").glob("mlops-*/src")), "an interrupt tidies up"
    gate.unlink()
    whole = mlops("sweep", "--resume", "latest", "--json", code=0).data
    assert [(t["status"], t["metrics"]) for t in whole["trials"]] == [
        ("done", {"score": scale}) for scale in (1.0, 2.0, 3.0)
    ]
    runs = mlops("runs", "search", "status = done and step = fit", "--json").data["records"]
    told = sorted(run["experiment"]["trial"] for run in runs if run.get("experiment"))
    assert told == [0, 1, 2], "what had ended was not run again"


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def runs_in(folder: Path) -> list[Path]:
    """Return the folders of logs of trial 2: a step of it runs."""
    place = folder / "2.place"
    return list(Path(place.read_text()).glob(".mlops/logs/*")) if place.exists() else []


def _children_of(folder: Path) -> list[int]:
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        words = place.read_bytes().split(b"\0") if place.exists() else []
        if b"mlops_cli.experiments.trial" in words and str(folder.parents[1]).encode() in words:
            found.append(int(place.parent.name))
    return found


def test_gc_keeps_what_an_experiment_made(made: Path, mlops: Any, git: Any) -> None:
    trial = mlops("run", "-S", "fit.scale=3", "--json", code=0).data["trials"][0]
    for ref in git("for-each-ref", "--format=%(refname)", "refs/mlops/ledger").split():
        git("update-ref", "-d", ref)  # the commit alone says it
    mlops("gc", "--grace", "0", "--unpushed", code=0)
    mlops("gc", "--grace", "0", "--unpushed", code=0)
    git("update-ref", "refs/heads/taken", f"refs/mlops/experiments/{trial['run']}")
    git("checkout", "-q", "taken")
    assert mlops("verify", "--json", code=0).data["missing"] == []
    mlops("checkout", "out", code=0)
    assert json.loads((made / "out/metrics.json").read_text()) == {"score": 3.0}


def test_a_trial_that_does_worse_than_most_is_ended_early(made: Path, mlops: Any) -> None:
    line = '{"step": 0, "time": 0, "metrics": {"score": %s}}'
    log = "live = pathlib.Path(os.environ['MLOPS_LIVE']); live.mkdir(parents=True)\n"
    log += f"(live / 'points.jsonl').write_text('{line}\\n' % scale)\n"
    wait = "time.sleep(60 if scale < 2 else 0)\n"
    (made / "src/fit.py").write_text(f"{FIT}import os, time\n{log}{wait}")
    words = ("sweep", "fit.scale=5,6,7,1", "-s", "fit", "-m", "score", "--stop", "--json")
    told = mlops(*words, code=0).data
    assert [trial["status"] for trial in told["trials"]] == ["done", "done", "done", "stopped"]
    assert told["best"] == 2
    (stopped,) = mlops("runs", "search", "experiment.trial = 3 and step = fit", "--json").data[
        "records"
    ]
    assert stopped["status"] == "killed"
    assert stopped["series"], "what it had logged by then is kept"
