"""`mlops lineage`: each link by its digest, up and down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.record import Code, record
from mlops_cli.registry.registry import Registry
from mlops_cli.vcs.repo import Git


def d(name: str) -> str:
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


@pytest.fixture
def told(repo: Path, git: Callable[..., str]) -> dict[str, str]:
    """One turn of the loop, and the digests of its records."""
    git("commit", "-q", "--allow-empty", "-m", "first")
    here = Git(repo)
    ledger, registry = open_ledger(here), Registry(here)
    digests: dict[str, str] = {}
    at = datetime(2013, 2, 1, tzinfo=UTC)

    def tell(name: str, kind: str, **fields: Any) -> str:
        nonlocal at
        at += timedelta(minutes=1)
        digests[name] = str(ledger.spool(record(kind, time=at, actor="Ada", **fields)))
        return digests[name]

    def ran(step: str, kind: str, inputs: Any, outputs: Any) -> str:
        return tell(step, "run", run="20130201T000000-abc", step=step, step_kind=kind, key="k",
                    status="done", started=at, seconds=1.5, inputs=inputs, outputs=outputs,
                    metrics={"roc_auc": 0.71} if kind == "evaluate" else {},
                    params={})  # fmt: skip

    ran("feature.weather", "feature", {"data/weather.parquet": d("w")}, {"out/features/w": d("f")})
    ran("dataset.delay", "dataset", {"data/flights": d("raw"), "out/features/w": d("f")},
        {"out/delay/dataset": d("set")})  # fmt: skip
    ran("train.delay", "train", {"out/delay/dataset": d("set")}, {"out/delay/model": d("dir")})
    made = ran("evaluate.delay", "evaluate", {"out/delay/model": d("dir")}, {"e": d("e")})
    model = {"digest": d("onnx"), "bundle": d("bundle"), "run": made}
    registry.create("delay", {**model, "format": "onnx", "created": "2013-02-01T00:00:00Z"})
    tell("version", "register", model="delay", version=1, **model)
    registry.move("delay", "production", 1, policy={}, evidence={}, actor="Ada", reason="r",
                  time=at)  # fmt: skip
    tell("promotion", "promotion", model="delay", alias="production", event=1, version=1,
         digest=d("onnx"))  # fmt: skip
    tell("deployment", "deployment", environment="prod", model="delay", version=1,
         digest=d("onnx"), action="deploy", challengers=[])  # fmt: skip
    for day in range(9):
        tell(f"predictions{day}", "predictions", deployment="prod", segment=d(f"seg{day}"), rows=9,
             start=f"2013-02-0{day + 1}T00:00:00Z", end=f"2013-02-0{day + 1}T23:00:00Z",
             models=[d("onnx")])  # fmt: skip
    check = tell("check", "check", monitor="prod", environment="prod", window={},
                 models=[d("onnx")], predictions=[d(f"seg{day}") for day in range(9)],
                 verdict="retrain")  # fmt: skip
    tell("decision", "decision", monitor="prod", check=check, action="retrain",
         because=["performance_drop"])  # fmt: skip
    ledger.flush()
    return digests


def test_the_chain_is_whole_and_each_link_has_its_digest(
    mlops: Any, assert_valid: Any, told: dict[str, str]
) -> None:
    result = mlops("lineage", "delay@production", "--json", code=0)
    assert_valid(result.json)
    nodes = {node["id"]: node for node in result.data["nodes"]}
    kinds = [node["kind"] for node in result.data["nodes"]]
    chain = ["data", "features", "dataset", "run", "model", "version", "promotion", "deployment",
             "predictions", "segment", "check", "decision"]  # fmt: skip
    assert set(chain) <= set(kinds)
    places = [max(i for i, kind in enumerate(kinds) if kind == k) for k in chain[4:]]
    assert places == sorted(places)
    assert set(told.values()) <= set(nodes)
    assert {d("raw"), d("w"), d("f"), d("set"), d("onnx"), d("bundle")} <= set(nodes)
    assert all(node["digest"] == node["id"] for node in nodes.values())
    assert nodes[told["decision"]]["place"] == "ledger"
    assert nodes[d("raw")] | {"time": None} == {
        "id": d("raw"), "kind": "data", "label": "data/flights", "digest": d("raw"),
        "place": "absent", "state": "missing", "time": None, "facts": {}, "tag": None,
    }  # fmt: skip
    tag = nodes[told["version"]]["tag"]
    assert tag["name"] == "mlops/delay/v1"
    assert nodes[told["promotion"]]["tag"]["name"] == "mlops/delay/@production/1"
    ends = {edge["from"] for edge in result.data["edges"]}
    assert ends <= set(nodes)


def test_each_link_says_where_its_bytes_can_be_confirmed(
    mlops: Any, repo: Path, git: Any, assert_valid: Any, told: dict[str, str]
) -> None:
    from mlops_cli.store.cache import open_cache

    open_cache(repo / ".mlops" / "cache").put(b"raw")
    (repo / "src").mkdir()
    (repo / "src" / "clean.py").write_text("code")
    git("add", "src")
    git("commit", "-q", "-m", "code")
    code = Code(Git(repo).head().commit)
    step = record("run", time=datetime(2013, 3, 1, tzinfo=UTC), actor="Ada", code=code, run="r2",
                  step="clean", step_kind="command", key="k", status="done", started="", seconds=1,
                  inputs={"src/clean.py": d("code"), "data/flights": d("raw"), "gone": d("gone")},
                  outputs={})  # fmt: skip
    open_ledger(Git(repo)).append(step)
    result = mlops("lineage", "clean", "--up", "--json", code=0)
    assert_valid(result.json)
    places = {node["label"]: node["place"] for node in result.data["nodes"]}
    assert places == {
        "clean": "ledger", "src/clean.py": "git", "data/flights": "cache", "gone": "absent",
    }  # fmt: skip
    assert "not here" in mlops("lineage", "clean", "--up", code=0).stdout


def test_the_screen_is_a_tree_in_eighty_columns(mlops: Any, told: dict[str, str]) -> None:
    result = mlops("lineage", "delay@production", code=0)
    lines = result.stdout.splitlines()
    assert lines[0] == "delay@v1"
    assert max(len(line) for line in lines) <= 80
    assert any(told["version"][7:19] in line for line in lines)
    assert "… 7 more …" in result.stdout
    assert lines[-3].startswith("└─ decision")
    assert result.stderr == ""


def test_down_from_raw_data_and_up_from_a_decision(mlops: Any, told: dict[str, str]) -> None:
    down = mlops("lineage", "data/weather.parquet", "--down", "--json", code=0).data
    assert down["starts"] == [d("w")]
    assert told["decision"] in {node["id"] for node in down["nodes"]}
    assert d("raw") not in {node["id"] for node in down["nodes"]}
    up = mlops("lineage", told["decision"][7:23], "--up", "--json", code=0).data
    assert d("raw") in {node["id"] for node in up["nodes"]}
    assert up["direction"] == "up"


def test_a_thing_has_many_names(mlops: Any, repo: Path, told: dict[str, str]) -> None:
    for name, start in {
        "delay": told["version"],
        "delay@v1": told["version"],
        "train.delay": told["train.delay"],
        "out/features/w": d("f"),
        d("onnx"): d("onnx"),
        told["check"]: told["check"],
    }.items():
        assert mlops("lineage", name, "--json", code=0).data["starts"] == [start]
    starts = mlops("lineage", "20130201T0", "--json", code=0).data["starts"]
    assert len(starts) == 4
    (repo / "data").mkdir()
    (repo / "data" / "flights.mlops").write_text(json.dumps({"digest": d("other")}))
    assert mlops("lineage", "data/flights", "--json", code=0).data["starts"] == [d("other")]
    inside = mlops("lineage", "flights", "--json", cwd=repo / "data", code=0)
    assert inside.data["starts"] == [d("other")]


def test_mermaid_names_every_node(mlops: Any, told: dict[str, str]) -> None:
    drawn = mlops("lineage", "delay@v1", "--graph", "mermaid", code=0).stdout
    assert drawn.startswith("flowchart TD\n")
    assert "version: delay@v1" in drawn
    assert "-->|decided|" in drawn


def test_what_is_unknown_is_said_so(mlops: Any, assert_valid: Any, told: dict[str, str]) -> None:
    for name, code in {
        "nothing": "unknown-thing",
        "delay@v9": "unknown-version",
        "delay@canary": "unknown-alias",
        "../outside": "unknown-thing",
        d("nothing"): "unknown-thing",
    }.items():
        result = mlops("lineage", name, "--json", code=20)
        assert_valid(result.json)
        assert result.error["code"] == code
    assert mlops("lineage", "delay", "--up", "--down", "--json", code=2).error["code"]


def test_without_its_index_every_answer_is_the_same(
    mlops: Any, repo: Path, told: dict[str, str]
) -> None:
    before = mlops("lineage", "delay", "--json", code=0).stdout
    (repo / ".mlops" / "index.sqlite").unlink()
    assert mlops("lineage", "delay", "--json", code=0).stdout == before
    (repo / ".mlops" / "index.sqlite").write_bytes(b"garbage" * 1000)
    assert mlops("lineage", "delay", "--json", code=0).stdout == before
