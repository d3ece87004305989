from pathlib import Path

import pytest

PIPELINE = """\
version: 1
project: {name: small, task: binary}
data:
  rows: {path: data/rows.csv, key: id, time: at, label: {column: y, known_at: at}}
train:
  t: {dataset: {spine: data.rows, columns: [x]}, code: src/t.py:train, metrics: [roc_auc]}
models:
  m: {from: train.t, aliases: {production: {gates: []}}}
deployments:
  prod: {model: m@production}
monitors:
  prod: {deployment: prod}
"""


@pytest.fixture
def small(repo: Path) -> Path:
    (repo / "data").mkdir()
    (repo / "data/rows.csv").write_text("id,at,x,y\n1,2013-01-01T00:00:00Z,0.5,1\n")
    (repo / "src").mkdir()
    (repo / "src/t.py").write_text("def train(train, validate, params, run): ...\n")
    (repo / "pipeline.yaml").write_text(PIPELINE)
    return repo


def test_a_monitor_without_a_deployment_says_what_to_deploy(mlops, small: Path) -> None:
    error = mlops("monitor", "check", "--json", code=20).error
    assert error["code"] == "unknown-environment"
    assert error["hint"] == "mlops deploy apply prod"


def test_an_unknown_monitor_is_refused_with_those_that_exist(mlops, small: Path) -> None:
    error = mlops("monitor", "check", "night", "--json", code=20).error
    assert (error["code"], error["hint"]) == ("unknown-monitor", "monitors: prod")


def test_a_time_that_is_none_is_a_wrong_command_line(mlops, small: Path) -> None:
    assert mlops("monitor", "check", "--at", "soon", "--json", code=2).error["code"] == "bad-time"


def test_a_monitor_that_never_checked_has_an_empty_report(mlops, small: Path, assert_valid) -> None:
    result = mlops("monitor", "report", "--json", code=0)
    assert_valid(result.json)
    assert result.data == {"monitor": "prod", "checks": []}
    assert "was never checked" in mlops("monitor", "report", code=0).stdout


def test_a_replay_needs_files_to_arrive(mlops, small: Path) -> None:
    assert mlops("monitor", "replay", "--json", code=2).error["code"] == "missing-option"
    (small / "empty").mkdir()
    error = mlops("monitor", "replay", "--from", "empty", "--json", code=20).error
    assert error["code"] == "nothing-arrives"


def test_the_demo_takes_no_folder_that_holds_something(mlops, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep me")
    error = mlops("demo", "mine", "--json", cwd=tmp_path, code=30).error
    assert error["code"] == "folder-in-use"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
