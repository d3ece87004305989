"""Stores of MLflow that lie, never end, or are no stores: each is told of, none is believed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow_world
import pytest

from mlops_cli.integrations.mlflow import tables

RUN = "13265de8b9e3452ebf7e70ea272f06d6"


@pytest.fixture
def project(repo: Path, git: Any) -> Path:
    (repo / ".mlops").mkdir()
    git("commit", "-q", "--allow-empty", "-m", "begin")
    return repo


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for one in statements:
            connection.execute(one)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run, in a store of files."""
    return mlflow_world.mlruns(tmp_path) / "486696452082320207" / RUN


def reasons(mlops: Any, path: Path) -> dict[str, str]:
    """Import the store and return what was left out, and why."""
    rows = mlops("import", "mlflow", str(path), "--json", code=0).data["rows"]
    return {row["name"]: row["reason"] for row in rows if row["reason"]}


def test_columns_that_hold_other_kinds_of_values_are_no_bug_of_ours(
    project: Path, mlops: Any, tmp_path: Path
) -> None:
    path = mlflow_world.database(tmp_path)
    change(
        path,
        "update runs set start_time = 'soon', end_time = 1e300, status = status, name = x'ff00'",
        "update params set value = x'fffe' where key = 'lr'",
        "update tags set value = null",
        "update experiments set creation_time = 'never', last_update_time = 9e999",
        "update registered_model_aliases set version = 'latest'",
        "update datasets set dataset_profile = 9e999",
    )

    rows = mlops("import", "mlflow", str(path), "--json", code=0).data

    assert rows["counts"]["run"]["imported"] == 3
    assert rows["counts"]["alias"] == {"refused": 2}


def test_a_point_that_is_none_leaves_its_run_out(project: Path, mlops: Any, tmp_path: Path) -> None:
    path = mlflow_world.database(tmp_path)
    change(path, "update metrics set value = 'much', is_nan = 0 where key = 'auc'")

    counts = mlops("import", "mlflow", str(path), "--json", code=0).data["counts"]

    assert counts["run"] == {"imported": 2, "left out": 3}


def test_a_table_that_is_a_view_without_end_is_not_read(
    project: Path, mlops: Any, tmp_path: Path
) -> None:
    path = mlflow_world.database(tmp_path)
    change(
        path,
        "drop table params",
        "create view params as with recursive n(key) as (select 1 union all select key + 1 from n)"
        " select key, key as value, key as run_uuid from n",
    )

    error = mlops("import", "mlflow", str(path), "--json", code=40).error

    assert error["code"] == "damaged-mlflow-db" and "params" in error["message"]


def test_a_database_that_is_written_to_is_asked_for_again(
    project: Path, mlops: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "PATIENCE", 0.1)
    path = mlflow_world.database(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("begin exclusive")
        error = mlops("import", "mlflow", str(path), "--json", code=50).error
    assert error["code"] == "mlflow-db-busy"
    mlops("import", "mlflow", str(path), code=0)


def test_pipes_and_links_in_the_place_of_files_are_not_opened(
    project: Path, mlops: Any, run: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.yaml").write_text("run_name: private\nstatus: 3\n")
    others = [one for one in sorted(run.parent.glob("1*")) if one != run][:1]
    for meta in (run / "meta.yaml", others[0] / "meta.yaml"):
        meta.unlink()
    os.mkfifo(run / "meta.yaml")
    (others[0] / "meta.yaml").symlink_to(tmp_path / "secret.yaml")

    said = reasons(mlops, run.parents[1])

    assert "it is no file" in said[RUN]
    assert "cannot be read" in said[others[0].name] and "private" not in str(said)


@pytest.mark.parametrize("uri", ["http://[", "s3://[::1", "/a\\0b", "file://%00", "..", "/"])
def test_an_address_that_is_none_is_said(project: Path, mlops: Any, run: Path, uri: str) -> None:
    lines = (run / "meta.yaml").read_text().splitlines()[1:]
    (run / "meta.yaml").write_text("\n".join([f'artifact_uri: "{uri}"', *lines]))

    mlops("import", "mlflow", str(run.parents[1]), "--remote-artifacts", "--json", code=0)


def test_times_names_and_words_beyond_reason_are_taken_for_what_they_are(
    project: Path, mlops: Any, run: Path
) -> None:
    (run / "meta.yaml").write_text(
        f"status: {{a: b}}\nstart_time: {'9' * 4000}\nend_time: [1, 2]\nrun_name: [x]\n"
    )
    other = run.parent / "\udcff\n\x1b[31m"
    (other / "metrics").mkdir(parents=True)
    (other / "meta.yaml").write_text("status: 3\nstart_time: 1\nend_time: .inf\n")
    (other / "metrics/loss").write_text("1 0.5 0\n" + "9" * 4000 + " 1 1\n")

    said = reasons(mlops, run.parents[1])

    assert "has not ended" in said[RUN]
    assert "is no point" in said["�\n\x1b[31m"]
    assert "\x1b" not in mlops("import", "mlflow", str(run.parents[1]), code=0).stdout


def test_a_name_of_hundreds_of_folders_is_none(project: Path, mlops: Any, run: Path) -> None:
    deep = run / "params" / "/".join("a" * 400)
    deep.mkdir(parents=True)
    (deep / "lr").write_text("1")
    (run / "params/b").write_text("2")

    mlops("import", "mlflow", str(run.parents[1]), "--json", code=0)

    (step,) = mlops("runs", "show", RUN, "--json", code=0).data["steps"]
    assert step["params"] == {"b": 2}


def test_a_registered_model_that_cannot_be_read_does_not_hide_the_others(
    project: Path, mlops: Any, run: Path
) -> None:
    models = run.parents[1] / "models"
    (models / "broken/version-1").mkdir(parents=True)
    (models / "broken/meta.yaml").write_text("name: broken\n")
    (models / "broken/version-1/meta.yaml").write_text("[" * 100_000)
    (models / "worse").mkdir()
    (models / "worse/meta.yaml").write_text("- x\n")

    said = reasons(mlops, run.parents[1])

    assert "larger than it looks" in said["version-1"] and "mapping" in said["worse"]
