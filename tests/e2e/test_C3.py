"""C3, orchestrators: each task of Airflow, Argo, Kubeflow and GitHub is the same command on one
step, and what they leave is what `mlops run` leaves, to the byte.

A stand-in for the two names that a DAG imports runs what the DAG says, machine by machine; then
the real Airflow does.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from orchestrators import READ_ARGO, READ_KFP, orchestrator_types, read_by
from peers import peer

assert orchestrator_types  # a fixture of this file

PIPELINE = """\
version: 1
project: {name: shop}
steps:
  total:
    cmd: wc -l < data/sales.csv > out/total
    deps: [data/sales.csv]
    outs: [out/total]
    timeout: 1m
    retries: {times: 2, backoff: 5s}
    resources: {cpus: 1, gpus: 0, mem: 64MiB, mutex: [db]}
  seen: {cmd: date +%s%N > out/seen, outs: [out/seen], always: true, determinism: stochastic}
  report:
    cmd: cat out/total out/seen > out/report
    deps: [out/total, out/seen]
    outs: [out/report]
triggers:
  nightly: {cron: "0 3 * * *", timezone: Europe/Berlin, run: total}
"""
IGNORED = "/out/\n/.mlops/*\n!/.mlops/config.yaml\n!/.mlops/lock/\n"
STEPS = ("total", "seen", "report")


def _written(project: Any) -> None:
    (project.root / "data").mkdir()
    (project.root / "data/sales.csv").write_text("1,10\n2,12\n")
    (project.root / "pipeline.yaml").write_text(PIPELINE)
    (project.root / ".gitignore").write_text(IGNORED)


@pytest.fixture
def shop(empty: Any) -> Any:
    """A project whose data is on a remote and whose commits are in another repository."""
    _written(empty)
    beside = empty.root.parent
    empty.git("init", "-q", "--bare", str(beside / "hub.git"))
    empty.git("remote", "add", "origin", str(beside / "hub.git"))
    empty.here("add", "data/sales.csv")
    empty.here("remote", "add", "store", f"file://{beside}/store")
    empty.here("config", "set", "compile.image", "registry.example/mlops@sha256:0")
    empty.here("config", "set", "compile.repository", str(beside / "hub.git"))
    empty.commit("a shop")
    empty.git("push", "-qu", "origin", "HEAD")
    empty.here("push")
    return empty


def _locks(root: Path, *names: str) -> dict[str, bytes]:
    return {name: (root / f".mlops/lock/{name}.json").read_bytes() for name in names}


AIRFLOW = """
import json, os, sys, types
tasks, after = [], {}
class DAG:
    def __init__(self, **words): self.words = words
    def __enter__(self): return self
    def __exit__(self, *_): pass
class BashOperator:
    def __init__(self, *, task_id, bash_command, cwd, **words):
        self.id = task_id; tasks.append((task_id, bash_command, cwd)); after[task_id] = []
    def __rrshift__(self, first): after[self.id] += [one.id for one in first]
for name in ("airflow", "airflow.sdk", "airflow.providers", "airflow.providers.standard",
             "airflow.providers.standard.operators", "airflow.providers.standard.operators.bash",
             "pendulum"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["airflow.sdk"].DAG = DAG
sys.modules["airflow.providers.standard.operators.bash"].BashOperator = BashOperator
sys.modules["pendulum"].datetime = lambda *words, tz: (words, tz)
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), {"__file__": sys.argv[1]})
print(json.dumps([(id, command, cwd, after[id]) for id, command, cwd in tasks]))
"""


def test_a_dag_leaves_the_locks_that_mlops_run_leaves(empty: Any, clone: Any) -> None:
    _written(empty)
    empty.commit("a shop")
    other = clone(empty, "other")
    empty.mlops("compile", "airflow", "-o", "dags")
    dag = empty.root / "dags/shop.py"
    told = empty.run(sys.executable, "-c", AIRFLOW, str(dag)).stdout
    done: list[str] = []
    for id_, command, cwd, after in json.loads(told):
        assert set(after) <= set(done), "in an order in which they can run"
        subprocess.run(
            ["bash", "-c", command], cwd=cwd, env=empty.environment(), check=True,
            capture_output=True,
        )  # fmt: skip
        done.append(id_)
    assert done == list(STEPS)
    assert [run["action"] for run in empty.here("run", "--cached")["steps"]] == ["skip"] * 3
    other.mlops("run")
    assert _locks(empty.root, "total") == _locks(other.root, "total")
    assert len(empty.git("log", "--format=%s", "--grep=^run:").splitlines()) == 3


@pytest.fixture(scope="session")
def airflow(request: pytest.FixtureRequest) -> Path:
    """The command `airflow`: MLOPS_TEST_AIRFLOW, or one in an environment of its own."""
    return peer(request, "airflow", "apache-airflow==3.3.*", given="MLOPS_TEST_AIRFLOW")


def test_airflow_itself_runs_the_dag(empty: Any, clone: Any, airflow: Path, tmp_path: Path) -> None:
    _written(empty)
    empty.commit("a shop")
    other = clone(empty, "other")
    empty.mlops("compile", "airflow", "-o", "dags")
    given = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(empty.root / "dags"),
    }
    for words in (("db", "migrate"), ("dags", "reserialize"), ("dags", "test", "shop")):
        empty.run(airflow, *words, **given)
    other.mlops("run")
    assert _locks(empty.root, "total") == _locks(other.root, "total")
    assert (empty.root / "out/report").read_text().startswith("2\n")
    with closing(sqlite3.connect(tmp_path / "airflow/airflow.db")) as known:
        assert known.execute("select dag_id from dag order by 1").fetchall() == [
            ("shop",),
            ("shop-nightly",),
        ]


def _machine(shop: Any, folder: Path, command: list[str], given: Mapping[str, str]) -> None:
    """Run a task in an empty folder, with what a container is given and nothing else."""
    folder.mkdir()
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": shop.environment()["PATH"], "HOME": str(folder), **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _in_order(after: Mapping[str, list[str]]) -> list[str]:
    done: list[str] = []
    while len(done) < len(after):
        ready = [one for one in after if one not in done and set(after[one]) <= set(done)]
        assert ready, "nobody can run"
        done.append(ready[0])
    return done


def _came_home(shop: Any) -> None:
    """Hold what tasks elsewhere have pushed against what `mlops run` makes here."""
    made = _locks(shop.root, "total") if shop.mlops("run", "total") else {}
    shop.git("fetch", "-q", "origin")
    for name in STEPS:
        assert shop.git("show", f"@{{upstream}}:.mlops/lock/{name}.json")
    there = shop.run("git", "show", "@{upstream}:.mlops/lock/total.json").stdout.encode()
    assert there == made["total"]


def test_argo_takes_the_workflows_and_its_tasks_share_work_through_the_remote(
    shop: Any, orchestrator_types: Path, tmp_path: Path
) -> None:
    shop.mlops("compile", "argo")
    files = sorted((shop.root / "argo").glob("*.yaml"))
    assert len(read_by(orchestrator_types, READ_ARGO, *files).splitlines()) == 2
    nightly, whole = (yaml.safe_load(path.read_text()) for path in files)
    assert nightly["spec"]["schedules"] == ["0 3 * * *"]
    assert nightly["spec"]["timezone"] == "Europe/Berlin"
    spec = whole["spec"]
    templates = {one["name"]: one for one in spec["templates"]}
    total = templates["run-total"]
    assert total["synchronization"]["mutexes"] == [{"name": "db"}]
    assert total["retryStrategy"]["limit"] == "2"
    assert total["container"]["resources"]["limits"] == {"cpu": "1", "memory": str(64 << 20)}
    values = {one["name"]: one["value"] for one in spec["arguments"]["parameters"]}
    after = {one["name"]: one for one in templates["flow"]["dag"]["tasks"]}
    for id_ in _in_order({name: one.get("dependencies", []) for name, one in after.items()}):
        container = templates[after[id_]["template"]]["container"]
        given = {one["name"]: one["value"] for one in container["env"]}
        for name, value in values.items():
            hole = f"{{{{workflow.parameters.{name}}}}}"
            given = {word: text.replace(hole, value) for word, text in given.items()}
        _machine(shop, tmp_path / id_, [*container["command"], *container["args"]], given)
    _came_home(shop)


def test_kubeflow_takes_the_pipeline_and_a_pod_leaves_the_lock_of_mlops_run(
    shop: Any, orchestrator_types: Path, tmp_path: Path
) -> None:
    warnings = json.loads(shop.run("mlops", "compile", "kfp", "--json").stdout)["warnings"]
    assert any("'0 3 * * *' in Europe/Berlin" in one for one in warnings)
    path = shop.root / "kfp/shop.yaml"
    read = json.loads(read_by(orchestrator_types, READ_KFP, path))
    assert read == json.loads(json.dumps(yaml.safe_load(path.read_text()))), "nothing is unknown"
    tasks = read["root"]["dag"]["tasks"]
    assert tasks["report"]["dependentTasks"] == ["total", "seen"]
    assert tasks["total"]["retryPolicy"]["maxRetryCount"] == 2
    inputs = read["root"]["inputDefinitions"]["parameters"]
    label = read["components"][tasks["total"]["componentRef"]["name"]]["executorLabel"]
    container = read["deploymentSpec"]["executors"][label]["container"]
    args = [inputs[one.split("'")[1]]["defaultValue"] for one in container["args"]]
    given = {one["name"]: one["value"] for one in container["env"]}
    _machine(shop, tmp_path / "pod", [*container["command"], *args], given)
    locks = tmp_path / "pod/project"
    shop.here("run", "total")
    assert _locks(locks, "total") == _locks(shop.root, "total")


def test_github_takes_the_workflows(shop: Any) -> None:
    shop.mlops("compile", "github")
    files = sorted((shop.root / ".github/workflows").glob("*.yml"))
    assert [path.name for path in files] == ["shop-nightly.yml", "shop.yml"]
    checker = str(Path(sys.executable).with_name("check-jsonschema"))
    shop.run(checker, "--builtin-schema", "vendor.github-workflows", *map(str, files))
    nightly, whole = (yaml.load(path.read_text(), yaml.BaseLoader) for path in files)
    assert nightly["on"]["schedule"] == [{"cron": "0 3 * * *", "timezone": "Europe/Berlin"}]
    assert whole["jobs"]["commit"]["needs"] == ["report"]
    assert whole["jobs"]["total"]["timeout-minutes"] == "14"
    assert "mlops pull data/sales.csv\n" in whole["jobs"]["total"]["steps"][1]["run"]


def test_a_task_refuses_to_do_the_work_of_another_machine(shop: Any, tmp_path: Path) -> None:
    """Before `total` was run anywhere, the task of `report` says so and runs nothing."""
    at = tmp_path / "elsewhere"
    shop.git("clone", "-q", str(shop.root.parent / "hub.git"), str(at))
    done = subprocess.run(
        ["mlops", "run", "report", "--only", "--pull", "--no-commit", "--json"],
        cwd=at, env=shop.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 30
    assert json.loads(done.stdout)["error"]["code"] == "would-run"
    assert not (at / "out").exists()
