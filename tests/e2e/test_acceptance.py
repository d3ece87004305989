"""What the issue asks to be shown, line by line, on the project that the demo leaves.

The first two lines (the README's commands in a fresh clone) are run by the CI, not by a test;
line 7 is in test_kills.py, line 8 in test_every_command.py.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

LINKS = {
    *("data", "run", "features", "dataset", "model", "version", "promotion"),
    *("deployment", "predictions", "check", "decision"),
}


def digests(root: Path) -> dict[str, str]:
    """Return the digest of every file that data and steps have in the workspace."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("data", "out")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and ".mlops" not in path.name
    }


def flip(path: Path, at: int) -> None:
    """Flip one bit of a file."""
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def stale(project: Any) -> dict[str, str]:
    """Return the steps that `status` calls stale, each with the reason it gives."""
    rows = project.mlops("status")["pipeline"]["rows"]
    return {row["name"]: row["reason"] for row in rows}


# 1 ---------------------------------------------------------------------------------------------


def test_every_link_of_the_lineage_has_a_digest_that_verify_confirms(demo: Any) -> None:
    nodes = demo.mlops("lineage", "delay@production")["nodes"]
    assert {node["kind"] for node in nodes} >= LINKS
    assert all(node["digest"].startswith("sha256:") for node in nodes)
    confirmed = {link["digest"]: link for link in demo.mlops("verify", "delay@production")["links"]}
    for node in nodes:
        assert confirmed[node["digest"]]["wrong"] is None
        assert confirmed[node["digest"]]["place"] == node["place"]
        if node["tag"]:
            assert confirmed[node["tag"]["object"]]["place"] == "tags"


def test_the_lineage_of_a_retrained_version_goes_through_the_decision(demo: Any) -> None:
    told = demo.mlops("lineage", "delay@production", "--up")
    kinds = {node["id"]: node["kind"] for node in told["nodes"]}
    links = {(kinds[edge["from"]], kinds[edge["to"]]) for edge in told["edges"]}
    assert {("check", "decision"), ("decision", "run"), ("run", "model")} <= links
    assert {("model", "version"), ("predictions", "segment"), ("segment", "check")} <= links


# 3 ---------------------------------------------------------------------------------------------


def test_an_edited_rule_makes_stale_what_hangs_on_it_and_reverting_trains_nothing(
    project: Any,
) -> None:
    before = digests(project.root)
    project.edit("src/features.py", "LOW_VISIBILITY_MILES = 3.0", "LOW_VISIBILITY_MILES = 2.0")
    found = stale(project)
    assert set(found) == {
        *("feature.weather_at_origin", "dataset.delay", "train.delay", "evaluate.delay")
    }
    assert "src/features.py" in found["feature.weather_at_origin"]
    done = project.mlops("run")
    assert {step["step"] for step in done["steps"] if step["did"] == "ran"} == set(found)
    assert not [step for step in done["steps"] if step["did"] == "restored"]
    changed = digests(project.root)
    assert changed["out/delay/model/model.onnx"] != before["out/delay/model/model.onnx"]

    project.edit("src/features.py", "LOW_VISIBILITY_MILES = 2.0", "LOW_VISIBILITY_MILES = 3.0")
    done = project.mlops("run")
    assert {step["did"] for step in done["steps"] if step["did"]} == {"restored"}
    assert digests(project.root) == before
    assert project.mlops("status", "--check")["clean"]


# 4 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_a_clone_pulls_all_outputs_and_has_nothing_to_run(
    project: Any, clone: Any, s3: Any, tmp_path: Path, kind: str
) -> None:
    url = s3.url() if kind == "s3" else f"file://{tmp_path}/remote"
    project.mlops("remote", "add", "origin", url)
    project.commit("a place for data")
    project.mlops("push", **s3.env)
    other = clone(project, "other")
    other.mlops("pull", **s3.env)
    assert digests(other.root) == digests(project.root)
    done = other.mlops("run")
    assert {step["action"] for step in done["steps"]} == {"skip"}
    assert other.mlops("verify")["clean"]
    applied = other.mlops("deploy", "apply", "prod")
    try:
        assert applied["digest"] == other.mlops("models", "show", "delay@production")["digest"]
    finally:
        other.mlops("deploy", "stop", "prod")


# 5 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["object", "pack"])
def test_a_flipped_byte_is_refused_by_name_and_mended(
    bare: Any, tmp_path: Path, where: str
) -> None:
    size = 1 << 20 if where == "object" else 1000
    (bare.root / "raw").mkdir()
    for name in ("a", "b", "c"):
        (bare.root / "raw" / name).write_bytes(random.Random(name).randbytes(size))
    bare.mlops("add", "raw")
    wanted = (bare.root / "raw/b").read_bytes()
    bare.mlops("remote", "add", "good", f"file://{tmp_path}/good")
    bare.mlops("push", "raw")
    for path in (bare.root / ".mlops/cache").rglob("*"):
        if path.is_file() and wanted in path.read_bytes():
            flip(path, path.read_bytes().index(wanted) + 500)
    named = f"sha256:{hashlib.sha256(wanted).hexdigest()}"

    bare.mlops("remote", "add", "second", f"file://{tmp_path}/second")
    pushed = bare.mlops("push", "raw", "--remote", "second", code=40)
    assert named in str(pushed) and "verify --repair" in pushed["hint"]
    shutil.rmtree(bare.root / "raw")
    checked_out = bare.mlops("checkout", "raw", code=40)
    assert named in checked_out["message"] and checked_out["details"]["path"].startswith("raw")
    assert "verify --repair" in checked_out["hint"]
    found = bare.mlops("verify", code=40)
    wrong = [*found["damaged"], *found["missing"]]
    assert [(one["digest"], one["paths"]) for one in wrong] == [(named, ["raw/b"])]
    assert "mlops verify --repair" in bare.said("verify", code=40)

    bare.mlops("verify", "--repair", "--from", "good")
    bare.mlops("checkout", "raw")
    assert (bare.root / "raw/b").read_bytes() == wanted


# 6 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True], ids=["json", "binary"])
def test_triton_s_client_gets_the_numbers_of_onnxruntime(served: Any, binary: bool) -> None:
    import numpy as np
    import onnxruntime
    import pyarrow.parquet as pq
    from tritonclient import http

    project = served.project
    table = pq.read_table(project.root / "out/delay/dataset/test.parquet").slice(0, 100)
    model = project.mlops("models", "show", "delay@production")
    hex_ = model["digest"].removeprefix("sha256:")
    stored = project.root / ".mlops/cache/objects" / hex_[:2] / hex_[2:]
    session = onnxruntime.InferenceSession(stored)
    feed = {}
    for column in session.get_inputs():
        values = table[column.name].to_pylist()
        if column.type == "tensor(string)":
            feed[column.name] = np.array(values, dtype=object)
        else:
            known = [np.nan if value is None else float(value) for value in values]
            feed[column.name] = np.array(known, dtype=np.float32)
    (wanted,) = session.run(["probability"], feed)

    client = http.InferenceServerClient(served.url.removeprefix("http://"))
    try:
        asked = []
        for name, values in feed.items():
            kind = "BYTES" if values.dtype == object else "FP32"
            one = http.InferInput(name, [len(values)], kind)
            one.set_data_from_numpy(values, binary_data=binary or kind == "FP32")
            asked.append(one)
        output = http.InferRequestedOutput("probability", binary_data=binary)
        answer = client.infer("delay", asked, outputs=[output]).as_numpy("probability")
        assert client.is_server_ready() and client.is_model_ready("delay")
    finally:
        client.close()
    np.testing.assert_allclose(answer, wanted, rtol=0, atol=1e-6)


def test_a_wrong_column_name_gets_400_and_its_name(served: Any) -> None:
    status, answer = served.ask("/predict", {"rows": [{"distanze": 1400}]})
    assert status == 400 and "distanze" in str(answer)
    tensor = {"name": "distanze", "shape": [1], "datatype": "FP32", "data": [1400]}
    status, answer = served.ask("/v2/models/delay/infer", {"inputs": [tensor]})
    assert status == 400 and "distanze" in str(answer)
