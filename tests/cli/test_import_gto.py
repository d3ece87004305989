"""`mlops import gto`: what GTO kept in tags becomes versions and aliases, in the same order."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

DECLARED = "artifacts:\n  churn: {path: models/churn.onnx, type: model}\n"


def model(value: float) -> bytes:
    onnx = pytest.importorskip("onnx")
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None])
    one = onnx.helper.make_tensor("c", onnx.TensorProto.FLOAT, [1], [value])
    node = onnx.helper.make_node("Add", ["x", "c"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [x], [y], [one])
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    return bytes(made.SerializeToString())


@pytest.fixture
def gto(repo: Path, git: Any) -> Path:
    """Two versions in git, one in DVC's cache, stages that were given and taken back."""
    (repo / ".gitignore").write_text(".mlops/\n.dvc/\n")
    (repo / "dvc.yaml").write_text(DECLARED)
    (repo / "models").mkdir()
    for number in (1, 2):
        (repo / "models/churn.onnx").write_bytes(model(number))
        git("add", "-A")
        git("commit", "-qm", f"model {number}")
        git("tag", "-a", "-m", "x", f"churn@v1.{number}.0")
        git("tag", "-a", "-m", "x", f"churn#prod#{number}")
    data = model(3)
    name = hashlib.md5(data, usedforsecurity=False).hexdigest()
    place = repo / ".dvc/cache/files/md5" / name[:2] / name[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    git("rm", "-q", "models/churn.onnx")
    (repo / "models").mkdir(exist_ok=True)
    (repo / "models/churn.onnx.dvc").write_text(
        f"outs:\n- md5: {name}\n  hash: md5\n  path: churn.onnx\n"
    )
    git("add", "-A")
    git("commit", "-qm", "model 3")
    git("tag", "-a", "-m", "x", "churn@v2.0.0")
    git("tag", "-a", "-m", "x", "churn#dev#3")
    git("tag", "-a", "-m", "x", "churn#dev!#4")
    return repo


def test_versions_and_stages_of_gto_come_over_once(
    gto: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    planned = mlops("import", "gto", "--dry-run", "--json", code=0)
    assert_valid(planned.json)
    assert {row["state"] for row in planned.data["rows"]} == {"new"}
    assert git("tag", "-l", "mlops/*") == ""

    done = mlops("import", "gto", "--json", code=0)
    assert_valid(done.json)
    assert {row["state"] for row in done.data["rows"]} == {"imported"}
    shown = mlops("models", "show", "churn@prod", "--json", code=0).data
    assert shown["version"] == 2 and shown["payload"]["source"]["version"] == "1.2.0"
    assert shown["commit"] == git("rev-parse", "churn@v1.2.0^{commit}").strip()
    assert mlops("models", "show", "churn", "--json", code=0).data["version"] == 3
    assert mlops("models", "show", "churn@dev", "--json", code=20).error["code"] == "unknown-alias"
    assert mlops("verify", "--json", code=0).data["tags"]["damaged"] == {}

    again = mlops("import", "gto", "--json", code=0)
    assert {row["state"] for row in again.data["rows"]} == {"there"}


def test_what_is_no_model_or_not_here_is_told(gto: Path, mlops: Any, git: Any) -> None:
    (gto / "words").write_text("no model")
    git("add", "-A")
    git("commit", "-qm", "words")
    for tag in ("words@v0.0.1", "gone@v0.0.1", "churn#prod#9", "churn@v1.1.0!"):
        git("tag", "-a", "-m", "x", tag)
    rows = {
        row["tag"]: row["state"] for row in mlops("import", "gto", "--json", code=40).data["rows"]
    }
    assert rows["words@v0.0.1"] == rows["churn#prod#9"] == "refused"
    assert rows["gone@v0.0.1"] == "missing" and rows["churn@v1.1.0!"] == "noted"
    assert rows["churn@v1.2.0"] == "imported"
