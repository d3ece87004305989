"""P4, versioning of data, model and code: a commit brings back all three, and the audit of a
version lists who did what, when and on what evidence."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parents[2] / "templates/flights"


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("data", "out")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and path.name != "README.md"
    }


def test_checkout_of_any_commit_brings_back_data_model_and_code(project: Any) -> None:
    now = digests(project.root)
    assert "out/delay/model/model.onnx" in now
    first = project.git("log", "--reverse", "--format=%H", "--", ".mlops/lock").splitlines()[0]
    project.git("checkout", "-q", first)
    project.mlops("checkout")
    then = digests(project.root)
    assert sorted(Path(name).name for name in then if name.startswith("data/flights/")) == [
        "2013-01.parquet"
    ]
    january = hashlib.sha256((TEMPLATE / "data/flights/2013-01.parquet").read_bytes())
    assert then["data/flights/2013-01.parquet"] == january.hexdigest()
    trained = project.lock("train.delay")
    v1 = project.mlops("models", "show", "delay@v1")
    assert f"sha256:{then['out/delay/model/model.onnx']}" == v1["digest"]
    assert trained["outputs"]["out/delay/model"]["digest"]
    project.git("checkout", "-q", "main")
    project.mlops("checkout")
    assert digests(project.root) == now


def test_git_holds_pointers_and_no_data(demo: Any) -> None:
    files = demo.git("ls-files", "-z").split("\0")
    large = [name for name in files if name and (demo.root / name).stat().st_size > 50_000]
    assert not large
    assert not [name for name in files if name.endswith((".parquet", ".onnx"))]
    assert {"data/flights.mlops", "data/weather.mlops"} <= set(files)


def test_the_history_of_a_model_says_who_did_what_when(demo: Any) -> None:
    history = demo.mlops("models", "history", "delay")["events"]
    assert len(history) >= 4
    for event in history:
        assert event["time"] and event["version"]
    assert {event["actor"] for event in history if event.get("alias")} != {None}


def test_the_audit_of_a_version_lists_who_when_what_and_evidence(demo: Any, tmp_path: Path) -> None:
    page = tmp_path / "audit.html"
    audit = demo.here("audit", "delay@v1", "--out", str(page))
    events = audit["events"]
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    done = [(event["what"], event["subject"]) for event in events]
    for expected in (
        ("run", "data.flights"),
        ("run", "train.delay"),
        ("registered", "delay@v1"),
        ("deployment", "prod: delay@v1"),
        ("check", "prod"),
        ("decision", "prod"),
    ):
        assert expected in done, expected
    assert ("registered", "delay@v2") not in done
    for event in events:
        assert event["actor"] == "Reader <reader@example.com>" and event["evidence"]
        assert event["digest"].startswith("sha256:")
        if event["commit"]:
            demo.git("cat-file", "-e", f"{event['commit']}^{{commit}}")
    moved = next(event for event in events if event["subject"] == "delay@production")
    assert {"parity", "golden"} & {each["name"] for each in moved["evidence"]} or [
        each for each in moved["evidence"] if each["passed"]
    ]
    assert "<script" not in page.read_text() and "delay@v1" in page.read_text()
    whole = demo.here("audit", "delay")["events"]
    assert {event["subject"] for event in whole} >= {"delay@v1", "delay@v2", "delay@production"}
