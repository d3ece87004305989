"""`mlops dag`: the same graph for people, documents and programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

LOOP = """\
version: 1
project: {name: p, task: binary}
data:
  flights: {path: data/flights, time: t, label: {column: late}}
features:
  history: {entity: carrier, from: data.flights, time: t, windows: {n: {count: late, over: 7d}}}
train:
  delay:
    dataset: {spine: data.flights, features: [history]}
    code: src/train.py:train
models:
  delay: {from: train.delay}
deployments:
  prod: {model: delay}
"""


@pytest.fixture
def project(repo: Path) -> Path:
    (repo / "pipeline.yaml").write_text(LOOP)
    return repo


def test_the_graph_as_people_read_it(project: Path, mlops: Any, golden: Any) -> None:
    golden("dag.txt", mlops("dag", code=0).stdout)


def test_the_graph_for_documents(project: Path, mlops: Any, golden: Any) -> None:
    golden("dag-mermaid.txt", mlops("dag", "--format", "mermaid", code=0).stdout)
    golden("dag-dot.txt", mlops("dag", "--format", "dot", "train.delay", code=0).stdout)


def test_the_graph_for_programs(project: Path, mlops: Any, assert_valid: Any) -> None:
    for words in (("--json",), ("--format", "json")):
        document = mlops("dag", *words, code=0).json
        assert_valid(document)
        edges = document["data"]["edges"]
        assert {
            "from": "train.delay",
            "to": "evaluate.delay",
            "paths": ["out/delay/model"],
        } in edges


def test_only_what_comes_before_a_step(project: Path, mlops: Any) -> None:
    data = mlops("dag", "feature.history", "--json", code=0).data
    assert [step["name"] for step in data["steps"]] == ["data.flights", "feature.history"]


def test_a_circle_is_refused_and_named(project: Path, mlops: Any) -> None:
    (project / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nsteps:\n"
        "  a: {cmd: c, deps: [out/b], outs: [out/a]}\n"
        "  b: {cmd: c, deps: [out/a], outs: [out/b]}\n"
    )
    error = mlops("dag", "--json", code=10).error
    assert error["code"] == "cycle"
    assert "a → b → a" in error["message"]
