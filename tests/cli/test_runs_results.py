"""`mlops runs compare | apply | export` and `runs show --plots`: what to do with results."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

PIPELINE = """\
version: 1
project: {name: small}
steps:
  fit:
    cmd: python src/fit.py ${params.fit.scale}
    deps: [src/fit.py]
    params: [params.yaml:fit]
    outs: [out/model.txt]
"""
FIT = """\
import pathlib, sys
from mlops_cli.live import Live
import os

run = Live(os.environ.get("MLOPS_LIVE"))
scale = float(sys.argv[1])
for step in range(5):
    run.log_metrics({"loss <1>": scale / (step + 1)}, step=step)
run.log_params(chosen=scale)
run.log_figure("curve.svg", "<svg/>")
pathlib.Path("out").mkdir(exist_ok=True)
pathlib.Path("out/model.txt").write_text(str(scale))
"""
LATER = {"MLOPS_NOW": "2013-03-02T00:00:00Z"}


@pytest.fixture
def made(repo: Path, git: Callable[..., str], mlops: Any) -> Path:
    (repo / "src").mkdir()
    (repo / "pipeline.yaml").write_text(PIPELINE)
    (repo / "params.yaml").write_text("fit: {scale: 1}  # ours\nother: 5\n")
    (repo / "src/fit.py").write_text(FIT)
    (repo / ".gitignore").write_text("/out/\n/.mlops/*\n!/.mlops/lock/\n")
    git("add", "-A")
    git("commit", "-qm", "a project")
    mlops("run", code=0)
    return repo


def tried(mlops: Any, scale: int) -> str:
    trials = mlops("run", "-S", f"fit.scale={scale}", "--json", env=LATER, code=0).data["trials"]
    return str(trials[0]["run"])


def test_what_a_step_logs_is_recorded_and_kept(made: Path, mlops: Any) -> None:
    (step,) = mlops("runs", "show", "--json", code=0).data["steps"]
    assert step["metrics"] == {"loss <1>": 0.2}
    assert step["logged"] == {"chosen": 1.0}
    assert step["series"].startswith("sha256:")
    assert step["artifacts"].startswith("sha256:")
    assert mlops("gc", "--grace", "0", "--unpushed", "--json", code=0).data
    assert mlops("verify", "--json", code=0).data["missing"] == []


def test_compare_shows_only_what_differs_and_why(
    made: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    first = mlops("runs", "list", "--json", code=0).data["runs"][0]["id"]
    (made / "src/fit.py").write_text(FIT.replace("range(5)", "range(6)"))
    second = tried(mlops, 3)
    result = mlops("runs", "compare", first, second, "--why", "--json", code=0)
    assert_valid(result.json)
    assert result.data["params"] == {"fit.scale": [1, 3]}
    assert result.data["metrics"] == {"loss <1>": [0.2, 0.5]}
    (why,) = result.data["why"]
    assert [one["part"] for one in why["differences"]] == ["params", "code"]
    assert why["same"] == ["data", "environment", "hardware"]
    screen = mlops("runs", "compare", first, second, "--why", code=0).stdout
    assert "param fit.scale 1 → 3" in screen
    assert "the same: data, environment, hardware" in screen
    table = mlops("runs", "compare", first, second, "--md", code=0).stdout
    assert "| fit.scale | 1 | 3 |" in table
    same = mlops("runs", "compare", first, first, "--json", code=0).data
    assert (same["params"], same["metrics"], same["why"]) == ({}, {}, None)
    assert mlops("runs", "compare", first, "--json", code=2).error["code"] == "bad-options"
    whole = mlops("runs", "compare", first, first, "--all", "--json", code=0).data
    assert whole["params"] == {"fit.scale": [1, 1]}


def test_apply_brings_params_locks_and_outputs(
    made: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    run = tried(mlops, 3)
    (made / "params.yaml").write_text("fit: {scale: 1}  # ours\nother: 6\n")  # another edit
    git("commit", "-qam", "an edit meanwhile")
    planned = mlops("runs", "apply", run, "--dry-run", "--json", code=0)
    assert_valid(planned.json)
    assert planned.data["params"] == {"params.yaml:fit.scale": {"old": 1, "new": 3}}
    assert (made / "out/model.txt").read_text() == "1.0"
    assert git("status", "--short") == ""
    result = mlops("runs", "apply", run, "--json", code=0)
    assert_valid(result.json)
    assert (made / "out/model.txt").read_text() == "3.0"
    assert (made / "params.yaml").read_text() == "fit: {scale: 3}  # ours\nother: 6\n"
    done = mlops("run", "--dry-run", "--json", code=0).data
    assert {step["action"] for step in done["steps"]} == {"skip"}, "all is up to date"
    git("commit", "-qam", "the better one")
    assert mlops("status", "--check", code=0)


def test_apply_writes_over_nothing_that_is_saved_nowhere(made: Path, mlops: Any, git: Any) -> None:
    run = tried(mlops, 3)
    (made / "params.yaml").write_text("fit: {scale: 9}\nother: 5\n")
    assert mlops("runs", "apply", run, "--json", code=30).error["code"] == "unsaved-bytes"
    git("checkout", "params.yaml")
    (made / "out/model.txt").write_text("by hand")
    assert mlops("runs", "apply", run, "--json", code=30).error["code"] == "unsaved-bytes"
    assert (made / "out/model.txt").read_text() == "by hand"
    assert git("status", "--short") == ""
    git("update-ref", "-d", f"refs/mlops/experiments/{run}")
    assert mlops("runs", "apply", run, "--json", code=20).error["code"] == "no-result"


def test_export_has_a_row_for_each_record(
    made: Path, mlops: Any, tmp_path: Path, assert_valid: Any
) -> None:
    tried(mlops, 3)
    text = mlops("runs", "export", code=0).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(r["params.fit.scale"], r["metrics.loss <1>"]) for r in rows] == [
        ("3", "0.6"),
        ("1", "0.2"),
    ]
    result = mlops("runs", "export", "--where", "params.fit.scale = 3", "--json", code=0)
    assert_valid(result.json)
    assert len(result.data["rows"]) == 1
    assert len(json.loads(mlops("runs", "export", "-f", "json", code=0).stdout)) == 2
    # the file says by its ending what it is
    mlops("runs", "export", "-o", str(tmp_path / "runs.parquet"), code=0)
    table = pq.read_table(tmp_path / "runs.parquet")
    assert sorted(table["params.fit.scale"].to_pylist()) == [1.0, 3.0]
    assert mlops("runs", "export", "-f", "parquet", "--json", code=2).error["code"] == "bad-options"
    assert mlops("runs", "export", "-f", "xls", "--json", code=2).error["code"] == "bad-value"


def test_plots_are_one_page_that_asks_nobody(made: Path, mlops: Any, tmp_path: Path) -> None:
    second = tried(mlops, 3)
    mlops("runs", "show", second, "--plots", str(tmp_path / "one.html"), code=0)
    page = (tmp_path / "one.html").read_text()
    html.parser.HTMLParser(convert_charrefs=True).feed(page)
    assert page.count("<polyline") == 1
    assert "loss &lt;1&gt;" in page
    assert not re.search(r"(src|href)=|https?://|@import|url\(", page)
    first = mlops("runs", "list", "--json", code=0).data["runs"][-1]["id"]
    mlops("runs", "compare", first, second, "--plots", str(tmp_path / "two.html"), code=0)
    assert (tmp_path / "two.html").read_text().count("<polyline") == 2
