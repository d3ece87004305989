"""The real MLflow: a script with autolog, only the URI changed; its API beside ours; its server.

Asked where MLOPS_TEST_MLFLOW names a Python that has MLflow, scikit-learn and this package.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif("MLOPS_TEST_MLFLOW" not in os.environ, reason="MLOPS_TEST_MLFLOW")

SCRIPT = """
import mlflow
mlflow.autolog()
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
mlflow.set_experiment("flights")
X, y = make_classification(200, 5, random_state=0)
model = LogisticRegression(C=0.5).fit(X, y)
accuracy_score(y, model.predict(X))
"""

MANY = """
import random, mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
random.seed(7)
client = MlflowClient()
experiment = client.create_experiment("many")
for i in range(500):
    at = 1_700_000_000_000 + i * 1000
    run = client.create_run(experiment, run_name=f"r{i}", start_time=at).info.run_id
    values = [Metric(k, random.gauss(0, 1), at + s, s) for k in ("loss", "auc") for s in range(20)]
    client.log_batch(run, values, [Param("lr", repr(random.random()))], [RunTag("team", "rail")])
    client.set_terminated(run, end_time=at + 500)
"""

AGREE = """
import sys
from mlflow import MlflowClient
theirs, ours = MlflowClient(sys.argv[1]), MlflowClient("mlops:")
def runs(client):
    ids = [one.experiment_id for one in client.search_experiments()]
    return {run.info.run_id: run for run in client.search_runs(ids, max_results=5000)}
a, b = runs(theirs), runs(ours)
assert a.keys() == b.keys() and len(a) == 500
for id_, run in a.items():
    assert run.data.to_dictionary() == b[id_].data.to_dictionary()
    assert run.info.end_time == b[id_].info.end_time and run.info.status == b[id_].info.status
for id_ in list(a)[::25]:
    for key in ("loss", "auc"):
        said = [[(m.step, m.timestamp, m.value) for m in client.get_metric_history(id_, key)]
                for client in (theirs, ours)]
        assert sorted(said[0]) == sorted(said[1])
good = [len(c.search_runs([e.experiment_id for e in c.search_experiments()],
        "metrics.auc > 0.5 and params.lr != '1' and tags.team = 'rail'", max_results=5000))
        for c in (theirs, ours)]
assert good[0] == good[1] > 0
print("agree")
"""

REGISTRY = """
import pathlib, tempfile, mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
client = MlflowClient()
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "model.onnx").write_bytes(b"\\x08\\x08" + b"x" * 30)
(folder / "MLmodel").write_text("flavors:\\n  onnx:\\n    data: model.onnx\\n")
with mlflow.start_run() as run:
    mlflow.log_artifacts(str(folder), "m")
client.create_registered_model("delay", description="late?")
source = f"{run.info.artifact_uri}/m"
made = client.create_model_version("delay", source, run.info.run_id, tags={"a": "b"})
client.set_registered_model_alias("delay", "champion", made.version)
found = client.get_model_version_by_alias("delay", "champion")
assert (found.version, found.aliases, found.tags) == ("1", ["champion"], {"a": "b"}), found
assert client.get_registered_model("delay").aliases == {"champion": "1"}
assert len(client.search_model_versions("name = 'delay'")) == 1
assert len(client.search_registered_models()) == 1
again = client.create_model_version("delay", source, run.info.run_id)
assert again.version == "1"
path = mlflow.artifacts.download_artifacts("models:/delay@champion")
assert (pathlib.Path(path) / "model.onnx").read_bytes()[:2] == b"\\x08\\x08"
model = client.create_logged_model(run.info.experiment_id, name="lm") if hasattr(
    client, "create_logged_model") else None
for refused in (lambda: client.delete_model_version("delay", "1"),
                lambda: client.rename_registered_model("delay", "other")):
    try:
        refused()
    except MlflowException as exc:
        assert "mlops" in str(exc)
    else:
        raise AssertionError
client.delete_registered_model_alias("delay", "champion")
client.delete_run(run.info.run_id)
assert not client.search_runs([run.info.experiment_id])
print("agree")
"""


@pytest.fixture
def project(repo: Path, git: Any) -> Path:
    (repo / ".mlops").mkdir()
    git("commit", "-q", "--allow-empty", "-m", "begin")
    return repo


@pytest.fixture
def script(project: Path, tmp_path: Path, environment: dict[str, str]) -> Any:
    def run(text: str, uri: str, *arguments: str) -> str:
        path = tmp_path / "script.py"
        path.write_text(text)
        done = subprocess.run(
            [os.environ["MLOPS_TEST_MLFLOW"], path, *arguments],
            cwd=project,
            env={**environment, "MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


def test_a_script_with_autolog_lands_in_the_ledger(script: Any, mlops: Any) -> None:
    script(SCRIPT, "mlops:")

    (step,) = mlops("runs", "show", "--json", code=0).data["steps"]
    assert (step["step"], step["status"], step["params"]["C"]) == ("flights", "done", 0.5)
    assert step["metrics"]["training_accuracy_score"] > 0.8
    after = [value for name, value in step["metrics"].items() if name.startswith("accuracy_score")]
    assert after == [step["metrics"]["training_accuracy_score"]]  # logged after its end
    assert list(step["outputs"]) == ["model"]
    assert "model" in mlops("runs", "show", code=0).stdout


def test_500_runs_of_a_database_agree_with_mlflow(script: Any, mlops: Any, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    script(MANY, uri)

    counts = mlops("import", "mlflow", str(tmp_path / "mlflow.db"), "--json", code=0).data["counts"]

    assert counts["run"] == {"imported": 500}
    assert "agree" in script(AGREE, "mlops:", uri)


def test_the_registry_of_mlflow_answers_from_tags(script: Any, git: Any) -> None:
    assert "agree" in script(REGISTRY, "mlops:")
    assert git("tag").split() == [
        "mlops/delay/@champion/1",
        "mlops/delay/@champion/2",
        "mlops/delay/v1",
    ]


def test_an_export_arrives_at_a_server_once(
    script: Any, mlops: Any, tmp_path: Path, environment: dict[str, str]
) -> None:
    script(SCRIPT, "mlops:")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [
            *(os.environ["MLOPS_TEST_MLFLOW"], "-m", "mlflow", "server", "--workers", "1"),
            *("--port", str(port), "--backend-store-uri", f"sqlite:///{tmp_path}/s.db"),
            *("--artifacts-destination", str(tmp_path / "art")),
        ],
        env={**environment, "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(400):
            try:
                urllib.request.urlopen(f"{url}/health", timeout=1).read()
                break
            except OSError:
                time.sleep(0.5)
        first = mlops("export", "mlflow", url, "--json", code=0).data["counts"]
        second = mlops("export", "mlflow", url, "--json", code=0).data["counts"]
        assert (first["run"], second["run"]) == ({"sent": 1}, {"unchanged": 1})
        query = json.dumps({"experiment_ids": ["1"]}).encode()
        ask = urllib.request.Request(
            f"{url}/api/2.0/mlflow/runs/search", query, {"Content-Type": "application/json"}
        )
        (run,) = json.loads(urllib.request.urlopen(ask).read())["runs"]
        assert any(m["key"].startswith("accuracy_score") for m in run["data"]["metrics"])
        assert list((tmp_path / "art").rglob("model/MLmodel"))
    finally:
        os.killpg(server.pid, 15)
        server.wait()
