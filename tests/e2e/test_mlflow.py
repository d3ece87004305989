"""The real MLflow: a script with autolog, only the URI changed; its API beside ours; its server.

Asked with the Python that MLOPS_TEST_MLFLOW names, or one in an environment of its own.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow_world
import pytest
from peers import peer

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "1",  # it loads a model again to see its imports
}

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
import pathlib, random, sys, mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
random.seed(7)
client = MlflowClient()
experiment = client.create_experiment("many")
for i in range(499):
    at = 1_700_000_000_000 + i * 1000
    run = client.create_run(experiment, at, {"team": "rail"}, f"r{i}").info
    values = [Metric(k, random.gauss(0, 1), at + s, s) for k in ("loss", "auc") for s in range(10)]
    client.log_batch(run.run_id, values, [Param("lr", repr(random.random()))])
    client.set_terminated(run.run_id, end_time=at + 500)

folder = pathlib.Path(sys.argv[1])
folder.mkdir()
(folder / "model.onnx").write_bytes(b"\\x08\\x08" + b"x" * 30)
(folder / "MLmodel").write_text("flavors:\\n  onnx:\\n    data: model.onnx\\n")
run = client.create_run(client.create_experiment("far", sys.argv[2])).info
client.log_artifacts(run.run_id, str(folder), "m")
client.log_text(run.run_id, "as it was", "a b/notes é.txt")
client.set_terminated(run.run_id)
client.create_registered_model("delay")
made = client.create_model_version("delay", f"{run.artifact_uri}/m", run.run_id)
client.set_registered_model_alias("delay", "champion", made.version)
print(run.run_id)
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


@pytest.fixture(scope="session")
def python(request: pytest.FixtureRequest) -> Path:
    """A Python that has MLflow and mlops."""
    wanted = ("mlflow==3.17.*", "boto3", "--editable", str(ROOT))
    return peer(request, "python", *wanted, given="MLOPS_TEST_MLFLOW")


@pytest.fixture
def project(repo: Path, git: Any) -> Path:
    (repo / ".mlops").mkdir()
    git("commit", "-q", "--allow-empty", "-m", "begin")
    return repo


@pytest.fixture
def script(python: Path, project: Path, tmp_path: Path, environment: dict[str, str]) -> Any:
    def run(text: str, uri: str, *arguments: str) -> str:
        path = tmp_path / "script.py"
        path.write_text(text)
        done = subprocess.run(
            [python, path, *arguments],
            cwd=project,
            env={**environment, **SETTINGS, "MLFLOW_TRACKING_URI": uri},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


@pytest.fixture
def server(python: Path, tmp_path: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of MLflow's own server; artifacts go to the folder `art`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [
            *(python, "-m", "mlflow", "server", "--workers", "1"),
            *("--port", str(port), "--backend-store-uri", f"sqlite:///{tmp_path}/s.db"),
            *("--artifacts-destination", str(tmp_path / "art")),
        ],
        env={**environment, **SETTINGS},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(f"{url}/health", timeout=1).read()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def test_a_script_with_autolog_lands_in_the_ledger(script: Any, mlops: Any) -> None:
    script(SCRIPT, "mlops:")

    (step,) = mlops("runs", "show", "--json", code=0).data["steps"]
    assert (step["step"], step["status"], step["params"]["C"]) == ("flights", "done", 0.5)
    assert step["metrics"]["training_accuracy_score"] > 0.8
    after = [value for name, value in step["metrics"].items() if name.startswith("accuracy_score")]
    assert after == [step["metrics"]["training_accuracy_score"]]  # logged after its end
    assert list(step["outputs"]) == ["model"]
    assert "model" in mlops("runs", "show", code=0).stdout


def test_500_runs_of_a_database_agree_with_mlflow_and_s3_is_read_when_asked(
    script: Any, mlops: Any, git: Any, tmp_path: Path, s3: Any, environment: dict[str, str]
) -> None:
    environment |= s3.env | {"MLFLOW_S3_ENDPOINT_URL": s3.endpoint}
    database = tmp_path / "mlflow.db"
    far = script(MANY, f"sqlite:///{database}", str(tmp_path / "m"), s3.url()).strip()

    words = ("import", "mlflow", str(database), "--json")
    first = mlops(*words, code=0).data
    assert first["counts"]["run"] == {"imported": 500}
    (told,) = [row for row in first["rows"] if row["what"] == "artifacts"]
    assert (told["name"], told["state"]) == (far, "left out")
    assert "--remote-artifacts" in told["reason"]
    assert first["counts"]["version"] == {"refused": 1}

    counts = mlops(*words, "--remote-artifacts", code=0).data["counts"]
    assert counts["run"] == {"unchanged": 499, "updated": 1}
    assert counts["version"] == {"imported": 1}
    (step,) = mlops("runs", "show", far, "--json", code=0).data["steps"]
    assert list(step["outputs"]) == ["m"]
    assert git("tag").split() == ["mlops/delay/@champion/1", "mlops/delay/v1"]

    for more in ([], ["--remote-artifacts"]):  # what was fetched stays
        counts = mlops(*words, *more, code=0).data["counts"]
        assert counts["run"] == {"unchanged": 500}
    assert "agree" in script(AGREE, "mlops:", f"sqlite:///{database}")


def test_the_registry_of_mlflow_answers_from_tags(script: Any, git: Any) -> None:
    assert "agree" in script(REGISTRY, "mlops:")
    assert git("tag").split() == [
        "mlops/delay/@champion/1",
        "mlops/delay/@champion/2",
        "mlops/delay/v1",
    ]


def test_an_export_arrives_at_a_server_once(
    mlops: Any, project: Path, tmp_path: Path, server: str
) -> None:
    def ask(path: str, **body: Any) -> Any:
        data = json.dumps(body).encode() if body else None
        json_ = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{server}/api/2.0/mlflow/{path}", data, json_)
        return json.loads(urllib.request.urlopen(request).read())

    mlops("import", "mlflow", str(mlflow_world.database(tmp_path / "there")), code=0)

    first = mlops("export", "mlflow", server, "--json", code=0).data["counts"]
    second = mlops("export", "mlflow", server, "--json", code=0).data["counts"]

    assert first == {"run": {"sent": 3}, "version": {"sent": 1}, "alias": {"sent": 1}}
    assert (second["run"], second["version"]) == ({"unchanged": 3}, {"unchanged": 1})
    runs = ask("runs/search", experiment_ids=["1"])["runs"]
    assert [run["info"]["status"] for run in runs] == ["FINISHED", "FAILED", "FINISHED"]
    data, inputs = runs[2]["data"], runs[2]["inputs"]["dataset_inputs"]
    metrics = {one["key"]: (one["step"], one["value"]) for one in data["metrics"]}
    assert (metrics["loss"], metrics["nan"]) == ((4, 0.2), (0, "NaN"))
    assert {"key": "lr", "value": "0.1"} in data["params"]
    assert inputs[0]["dataset"]["digest"] == "1f05548b"
    history = ask(f"metrics/get-history?run_id={runs[2]['info']['run_id']}&metric_key=loss")
    assert len(history["metrics"]) == 6  # not 7: MLflow keeps equal ones once
    found = ask("registered-models/alias?name=delay&alias=champion")["model_version"]
    assert (found["version"], found["run_id"]) == ("1", runs[0]["info"]["run_id"])
    assert list((tmp_path / "art").rglob("versions/delay-v1/MLmodel"))
    assert list((tmp_path / "art").rglob("model/MLmodel"))
