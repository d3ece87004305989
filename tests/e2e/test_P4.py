"""P4, versioning of data, model and code: a commit brings back all three.

Missing: `mlops audit`; here `mlops models history` tells who did what and when.
"""

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
