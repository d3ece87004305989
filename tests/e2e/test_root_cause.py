"""Root cause: from the id of one answer to the model, run, commit and data behind it, at once."""

from __future__ import annotations

from typing import Any


def test_one_command_leads_from_an_answer_to_model_run_commit_and_data(served: Any) -> None:
    import pyarrow.parquet as pq

    project = served.project
    pinned = project.mlops("models", "show", "delay@production")["payload"]
    names = [column["name"] for column in pinned["inputs"]]
    assert all(column["kind"] for column in pinned["inputs"])
    table = pq.read_table(project.root / "out/delay/dataset/test.parquet").slice(0, 1)
    asked = {"rows": table.select(names).to_pylist(), "request_id": "complaint-4711"}
    status, said = served.ask("/predict", asked)
    assert status == 200, said

    found = project.mlops("lineage", "complaint-4711", "--up")
    (answer,) = found["answers"]
    probability = said["predictions"][0]
    if isinstance(probability, dict):
        probability = probability["probability"]
    assert abs(answer["score"] - probability) < 1e-6 and answer["segment"] is None
    origin = found["origin"]
    assert origin["version"]["name"] == f"delay@v{pinned['version']}"
    assert answer["model"] == pinned["digest"]
    run = project.mlops("runs", "show", origin["run"]["record"])["record"]
    assert run["step"] == "train.delay" and run["code"]["commit"] == origin["commit"]
    assert project.git("cat-file", "-t", origin["commit"]) == "commit"
    data = {one["path"]: one for one in origin["data"]}
    assert set(data) >= {"data/flights", "data/weather"}
    for one in data.values():
        assert one["state"] == "bytes-present"
    assert {one["path"] for one in origin["code"]} >= {"src/train.py"}
    assert {one["state"] for one in origin["code"]} == {"bytes-present"}, "git has them"
    assert origin["params"]["train.seed"] is not None

    screen = project.said("lineage", "complaint-4711")
    for word in (
        "complaint-4711",
        origin["version"]["name"],
        origin["commit"][:12],
        "data/flights",
    ):
        assert word in screen
    assert asked["rows"][0]["dest"] not in screen, "what was asked stays in the log"


def test_an_answer_of_months_ago_leads_to_the_model_of_that_time(demo: Any) -> None:
    first = demo.mlops("lineage", "201302050001", "--up")
    assert first["origin"]["version"]["name"] == "delay@v1"
    segment = first["answers"][0]["segment"]
    checks = demo.mlops("lineage", "201302050001", "--down")["nodes"]
    assert {"check", "decision"} <= {node["kind"] for node in checks}
    assert segment in {node["id"] for node in checks}
    assert demo.mlops("lineage", "no-such-flight", code=20)["code"] == "unknown-thing"
