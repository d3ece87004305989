"""`mlops models inspect`: what a model file says of itself, and why it may not be a model."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

from mlops_cli.ledger.append import open_ledger
from mlops_cli.ledger.index import open_index
from mlops_cli.ledger.record import Record
from mlops_cli.store.cache import open_cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import Entry, parse_tree, write_tree
from mlops_cli.vcs.repo import Git


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.path,)


def test_a_version_and_its_file_say_the_same(mlops: Any, trained: Any, assert_valid: Any) -> None:
    shown = mlops("models", "inspect", "storm@v1", "--json", cwd=trained, code=0)
    assert_valid(shown.json)
    data = shown.data
    assert [(one["name"], one["dtype"], one["shape"]) for one in data["inputs"]] == [
        ("origin", "BYTES", ["batch"]),
        ("wind", "FP32", ["batch"]),
    ]
    assert data["outputs"][0]["name"] == "probability" and data["opset"]["ai.onnx"] >= 17
    assert data["digest"].startswith("sha256:") and data["problems"] == []
    screen = mlops("models", "inspect", "storm", cwd=trained, code=0).stdout
    assert "opset" in screen and "probability  FP32  [batch]" in screen
    (trained / "evil.onnx").write_bytes(pickle.dumps(Bomb(trained / "ran")))
    evil = mlops("models", "inspect", "evil.onnx", "--json", cwd=trained, code=0)
    assert_valid(evil.json)
    assert evil.data["format"] == "pickle"
    assert evil.data["problems"][0]["code"] == "format-not-allowed"
    refused = mlops("models", "inspect", "evil.onnx", "--check", cwd=trained, code=1)
    assert "no  it is a pickle [format-not-allowed]" in refused.stdout
    assert not (trained / "ran").exists()
    model = (trained / "out/storm/model/model.onnx").read_bytes()
    (trained / "half.onnx").write_bytes(model[: len(model) // 2])
    error = mlops("models", "inspect", "half.onnx", "--json", cwd=trained, code=40).error
    assert error["code"] == "malformed-model"
    assert mlops("models", "inspect", "no.onnx", cwd=trained, code=20)


def _swap(trained: Path, data: bytes) -> None:
    """Make `data` the model that training left, in workspace, cache, locks and ledger alike."""
    cache = open_cache(trained / ".mlops/cache")
    lock = trained / ".mlops/lock/train.storm.json"
    told = json.loads(lock.read_text())
    out = told["outputs"]["out/storm/model"]
    files = {entry.name: entry for entry in parse_tree(cache.read(Digest.parse(out["digest"])))}
    with cache.writer() as writer:
        files["model.onnx"] = Entry("model.onnx", "file", writer.put(data), len(data))
        tree = writer.put(write_tree(files.values()))
    (trained / "out/storm/model/model.onnx").unlink()
    (trained / "out/storm/model/model.onnx").write_bytes(data)
    lock.write_text(lock.read_text().replace(out["digest"], str(tree)))
    other = trained / ".mlops/lock/evaluate.storm.json"
    other.write_text(other.read_text().replace(out["digest"], str(tree)))
    git = Git(trained)
    with open_index(git) as index:
        made = {
            str(one["outputs"]["out/storm/model"]): one
            for one in index.newest("run", step="train.storm")
        }
    ran = made[out["digest"]]
    body = json.loads(ran.data.decode().replace(out["digest"], str(tree)))
    open_ledger(git).append(Record("run", body))


def test_a_pickle_is_registered_only_where_its_policy_says_so_and_never_runs(
    mlops: Any, git: Any, trained: Path
) -> None:
    _swap(trained, pickle.dumps(Bomb(trained / "ran")))
    git("commit", "-qam", "somebody's model", cwd=trained)
    mlops("run", "evaluate.storm", "--dry-run", cwd=trained, code=0)
    error = mlops("register", "--json", cwd=trained, code=30).error
    assert error["code"] == "format-not-allowed" and "a pickle" in error["message"]
    assert git("tag", cwd=trained).split() == ["mlops/storm/v1"]
    policy = trained / "models/storm.yaml"
    gates = "aliases: {staging: {gates: [golden]}}\n"
    policy.write_text(f"version: 1\nformats: [onnx, safetensors, pickel]\n{gates}")
    git("add", "models", cwd=trained)
    git("commit", "-qm", "a policy", cwd=trained)
    wrong = mlops("register", "--json", cwd=trained, code=10).error
    assert wrong["code"] == "wrong-value" and "models/storm.yaml:2" in wrong["message"]
    policy.write_text(f"version: 1\nformats: [onnx, safetensors, pickle]\n{gates}")
    git("commit", "-qam", "a pickle it is", cwd=trained)
    mlops("register", cwd=trained, code=0)
    shown = mlops("models", "show", "storm@v2", "--json", cwd=trained, code=0).data["payload"]
    assert shown["format"] == "pickle" and shown["golden"] is None
    mlops("promote", "storm@v2", "staging", cwd=trained, code=40)  # nobody can try its golden rows
    assert not (trained / "ran").exists()
