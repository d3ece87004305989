"""`mlops compile`: files that are written, found fresh or stale, and left alone where not ours."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

PIPELINE = """\
version: 1
project: {name: shop}
steps:
  total:
    cmd: wc -l < sales.csv > out/total
    deps: [sales.csv]
    outs: [out/total]
    timeout: 1m
    retries: {times: 2, backoff: 5s}
    resources: {cpus: 2, mem: 1GiB}
  report: {cmd: cat out/total > out/report, deps: [out/total], outs: [out/report]}
triggers:
  nightly: {cron: "0 3 * * *", timezone: Europe/Berlin, run: total}
  fresh: {on: new_data, of: data.sales, run: total}
data:
  sales: {path: sales.csv}
"""


@pytest.fixture
def project(repo: Path) -> Path:
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "sales.csv").write_text("1\n2\n")
    return repo


def test_airflow_gets_a_dag_for_all_and_one_for_each_schedule(
    project: Path, mlops: Any, golden: Any, assert_valid: Any
) -> None:
    document = mlops("compile", "airflow", "--json", code=0).json
    assert_valid(document)
    assert document["data"]["flows"] == [
        {"id": "shop", "cron": None, "tasks": ["data.sales", "total", "report"]},
        {"id": "shop-nightly", "cron": "0 3 * * *", "tasks": ["total"]},
    ]
    assert document["warnings"] == ["fresh is due by what happens, which mlops tick sees"]
    golden("compile-airflow.txt", (project / "dags/shop-nightly.py").read_text())


def test_a_dag_imports_nothing_of_mlops(project: Path, mlops: Any) -> None:
    mlops("compile", "airflow", "-o", "flows", code=0)
    tree = ast.parse((project / "flows/shop.py").read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported == {"__future__", "os", "datetime", "pathlib", "pendulum", "airflow"}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [one.func.id for one in calls if isinstance(one.func, ast.Name)]
    assert made.count("DAG") == 1 and made.count("BashOperator") == 3


def test_check_says_which_file_is_stale_and_why(project: Path, mlops: Any) -> None:
    assert "is not there" in mlops("compile", "airflow", "--check", code=1).stdout
    assert not (project / "dags").exists()
    mlops("compile", "airflow", code=0)
    assert mlops("compile", "airflow", "--check", code=0).stdout.startswith("2 files: as the")

    text = PIPELINE.replace("timeout: 1m", "timeout: 2m").replace("wc -l", "wc   -l")
    (project / "pipeline.yaml").write_text(text)
    assert "dags/shop.py is of what the pipeline said before." in (
        mlops("compile", "airflow", "--check", code=1).stdout
    )
    mlops("compile", "airflow", code=0)
    dag = project / "dags/shop.py"
    dag.write_text(dag.read_text().replace("retries=2", "retries=9"))
    assert "was edited" in mlops("compile", "airflow", "--check", code=1).stdout


def test_what_does_not_show_in_a_file_makes_it_no_less_fresh(project: Path, mlops: Any) -> None:
    mlops("compile", "airflow", code=0)
    (project / "pipeline.yaml").write_text(PIPELINE.replace("wc -l", "wc --lines"))
    mlops("compile", "airflow", "--check", code=0, env={"MLOPS_COMPILE_IMAGE": "other"})


def test_a_flow_that_went_goes_and_what_is_not_ours_stays(project: Path, mlops: Any) -> None:
    mlops("compile", "airflow", code=0)
    mine = project / "dags/mine.py"
    mine.write_text("# mine\n")
    (project / "pipeline.yaml").write_text(PIPELINE.replace("nightly", "daily"))
    said = mlops("compile", "airflow", code=0).stdout
    assert "removed  dags/shop-nightly.py" in said and "wrote  dags/shop-daily.py" in said
    assert mine.exists()

    (project / "dags/shop.py").write_text("# mine, too\n")
    error = mlops("compile", "airflow", "--json", code=30).error
    assert error["code"] == "not-ours" and "shop.py" in error["message"]
    assert (project / "dags/shop.py").read_text() == "# mine, too\n"


@pytest.mark.parametrize("name", ["argo", "kfp", "github"])
def test_machines_of_their_own_need_an_image(project: Path, mlops: Any, name: str) -> None:
    given = {"MLOPS_COMPILE_REPOSITORY": "https://example.org/shop.git"}
    error = mlops("compile", name, "--json", code=10, env=given).error
    assert error["code"] == "no-image" and "compile.image" in error["hint"]


@pytest.mark.parametrize("name", ["argo", "kfp"])
def test_no_file_carries_credentials(project: Path, mlops: Any, name: str) -> None:
    given = {
        "MLOPS_COMPILE_REPOSITORY": "https://ada:s3cret@example.org/shop.git",
        "MLOPS_COMPILE_IMAGE": "registry.example/shop@sha256:0",
    }
    result = mlops("compile", name, "--json", code=10, env=given)
    assert result.error["code"] == "credentials-in-url" and "s3cret" not in result.stdout
    assert not (project / name).exists()


def test_an_unknown_orchestrator_is_answered_with_those_there_are(
    project: Path, mlops: Any
) -> None:
    error = mlops("compile", "luigi", "--json", code=20).error
    assert error["hint"] == "known: airflow, argo, github, kfp"
    assert mlops("compile", "airflow", "--check", "-n", "--json", code=2).error["code"]


def test_only_runs_what_is_named_and_refuses_to_run_what_comes_before(
    project: Path, mlops: Any
) -> None:
    (project / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nsteps:\n"
        "  first: {cmd: echo 1 > first, outs: [first], always: true}\n"
        "  second: {cmd: cat first > second, deps: [first], outs: [second]}\n"
    )
    (project / ".gitignore").write_text("/first\n/second\n/.mlops/*\n!/.mlops/lock/\n")
    error = mlops("run", "second", "--only", "--json", code=30).error
    assert error["code"] == "would-run" and error["details"]["step"] == "first"
    assert not (project / "first").exists()

    mlops("run", "first", "--only", code=0)
    done = {
        one["step"]: one["did"] for one in mlops("run", "second", "--only", "--json").data["steps"]
    }
    assert done == {"first": None, "second": "ran"}, "always is for whoever has to run it"

    (project / "second").unlink()
    cached = {one["step"]: one["did"] for one in mlops("run", "--cached", "--json").data["steps"]}
    assert cached == {"first": None, "second": "restored"}
    assert mlops("run", "--only", "--json", code=2).error["code"] == "bad-options"
    (project / "pipeline.yaml").write_text(
        (project / "pipeline.yaml").read_text().replace("cat first", "cat   first")
    )
    assert mlops("run", "--cached", "--json", code=30).error["details"]["step"] == "second"
