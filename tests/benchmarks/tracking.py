"""Tracking: importing what MLflow wrote, and logging through our plug-in beside its SQLite store.

    python tests/benchmarks/tracking.py --mlflow PYTHON [--runs N] [--json]

PYTHON is the interpreter of an environment with MLflow 3 and this package. One run of this program
makes a database of N runs with 60 values each, imports it (CPU of the whole process of ours), asks
MLflow's own API for the same (search_runs and three histories a run), and logs N runs of 60 single
values through both stores in one process each, where only the calls are timed.
Exit codes: 0 all goals met, 1 one was missed, 2 there is no result because a tool failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import run

GOALS = {"import ms a run": 10.0, "logging": 2.0}  # at most; times quicker, at least
FILL = """
import random, sys
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
client = MlflowClient("sqlite:///mlflow.db")
experiment = client.create_experiment("many")
for n in range(int(sys.argv[1])):
    made = client.create_run(experiment, start_time=1_700_000_000_000 + n).info.run_id
    at, steps = 1_700_000_000_000, range(20)
    values = [Metric(k, random.random(), at + s, s) for k in "abc" for s in steps]
    client.log_batch(made, values, [Param("lr", "0.1"), Param("depth", "3")], [])
    client.set_terminated(made, end_time=1_700_000_001_000 + n)
"""
ASK = """
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
ids = [one.experiment_id for one in client.search_experiments()]
for found in client.search_runs(ids, max_results=50_000):
    for key in "abc":
        client.get_metric_history(found.info.run_id, key)
"""
LOG = """
import os, sys, time
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
experiment = client.create_experiment("logged")
def times():
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system
began, cpu = time.perf_counter(), times()
for n in range(int(sys.argv[2])):
    made = client.create_run(experiment).info.run_id
    client.log_param(made, "lr", 0.1)
    for step in range(60):
        client.log_metric(made, "loss", 1 / (step + 1), step=step)
    client.set_terminated(made)
print(time.perf_counter() - began, times() - cpu)
"""


def measured(python: str, count: int) -> dict[str, Any]:
    """Return the figures of one run of all."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _script(python, root, FILL, str(count))
        project = _project(root / "project")
        ours = run([*_mlops(), "import", "mlflow", str(root / "mlflow.db")], cwd=project)
        again = run([*_mlops(), "import", "mlflow", str(root / "mlflow.db")], cwd=project)
        (root / "ask.py").write_text(ASK)
        asked = run([python, "ask.py"], cwd=root)
        few = max(5, count // 20)
        theirs = _script(python, root, LOG, "sqlite:///logged.db", str(few)).split()
        through = _script(python, _project(root / "plugin"), LOG, "mlops:", str(few)).split()
        values = few * 62
        return {
            "runs": count,
            "import": {"cpu": ours.cpu, "ms a run": 1000 * ours.cpu / count, "again": again.cpu},
            "mlflow's API": {"cpu": asked.cpu, "times ours": asked.cpu / ours.cpu},
            "logging, CPU ms a call": {
                "sqlite": 1000 * float(theirs[1]) / values,
                "mlops": 1000 * float(through[1]) / values,
                "times": float(theirs[1]) / float(through[1]),
                "times, wall": float(theirs[0]) / float(through[0]),
            },
        }


def _script(python: str, folder: Path, text: str, *arguments: str) -> str:
    path = folder / "script.py"
    path.write_text(text)
    done = subprocess.run(
        [python, path.name, *arguments], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        raise SystemExit(2)
    return done.stdout


def _project(root: Path) -> Path:
    (root / ".mlops").mkdir(parents=True)
    for words in (
        ("init", "-q", "-b", "main"),
        ("config", "user.name", "Ada"),
        ("config", "user.email", "ada@example.org"),
        ("commit", "-q", "--allow-empty", "-m", "begin"),
    ):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


def _mlops() -> list[str]:
    return [sys.executable, "-m", "mlops_cli"]


def main() -> int:
    """Print the figures and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlflow", required=True)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measured(given.mlflow, given.runs)
    print(json.dumps(found, indent=1))
    met = (
        found["import"]["ms a run"] <= GOALS["import ms a run"]
        and found["logging, CPU ms a call"]["times"] >= GOALS["logging"]
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
