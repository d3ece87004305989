"""`mlops pull`: another clone gets the same bytes, or is told which are wrong."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest


def fingerprints(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.parts and ".mlops" not in path.parts
    }


@pytest.fixture
def pushed(repo: Path, mlops: Any, git: Any) -> Path:
    """A committed repository whose data is on the remote `origin`, a folder."""
    (repo / "data/deep").mkdir(parents=True)
    for number in range(30):
        (repo / "data/deep" / f"{number}.csv").write_text(f"{number}\n")
    (repo / "big.bin").write_bytes(os.urandom(1 << 20))
    mlops("add", "data", "big.bin", code=0)
    mlops("remote", "add", "origin", "../remote", code=0)
    git("add", "-A")
    git("commit", "-qm", "data")
    mlops("push", code=0)
    return repo


def clone_of(repo: Path, git: Any) -> Path:
    clone = repo.parent / "clone"
    git("clone", "-q", str(repo), str(clone))
    return clone


def test_a_clone_gets_the_same_bytes(pushed: Path, mlops: Any, git: Any, assert_valid: Any) -> None:
    clone = clone_of(pushed, git)

    result = mlops("pull", "--json", cwd=clone, code=0)

    assert_valid(result.json)
    assert result.data["lacking"] == ["big.bin", "data"]
    assert fingerprints(clone) == fingerprints(pushed)
    again = mlops("pull", "--json", cwd=clone, code=0).data
    assert (again["objects"], again["lacking"]) == (0, [])
    assert git("status", "--porcelain", cwd=clone) == ""


def test_a_clone_gets_the_same_bytes_from_s3(pushed: Path, mlops: Any, git: Any, s3: Any) -> None:
    mlops("remote", "add", "cloud", s3.url(), "--endpoint", s3.endpoint, "--default", code=0)
    mlops("push", env=s3.env, code=0)
    git("commit", "-qam", "remote")
    clone = clone_of(pushed, git)

    mlops("pull", cwd=clone, env=s3.env, code=0)

    assert fingerprints(clone) == fingerprints(pushed)


def test_fetching_leaves_the_workspace_alone(pushed: Path, mlops: Any, git: Any) -> None:
    clone = clone_of(pushed, git)

    mlops("pull", "--no-checkout", cwd=clone, code=0)

    assert not (clone / "big.bin").exists()
    mlops("checkout", cwd=clone, code=0)
    assert fingerprints(clone) == fingerprints(pushed)


def test_wrong_bytes_of_the_remote_are_named_and_the_rest_arrives(
    pushed: Path, mlops: Any, git: Any
) -> None:
    (pack,) = (pushed.parent / "remote/packs").iterdir()
    data = bytearray(pack.read_bytes())
    data[-1000] ^= 1  # the chunks of the large object come last
    pack.write_bytes(data)
    clone = clone_of(pushed, git)

    result = mlops("pull", "--json", cwd=clone)

    assert (result.code, result.error["code"]) == (40, "damaged-object")
    assert result.error["details"]["damaged"][0]["path"] == "big.bin"
    assert not (clone / "big.bin").exists()
    assert len(list((clone / "data/deep").iterdir())) == 30
    mlops("push", "--force", "big.bin", code=0)
    mlops("pull", cwd=clone, code=0)
    assert fingerprints(clone) == fingerprints(pushed)


def test_what_the_remote_lost_is_named(pushed: Path, mlops: Any, git: Any) -> None:
    (recipes,) = (pushed.parent / "remote/recipes").iterdir()
    recipes.unlink()
    clone = clone_of(pushed, git)

    result = mlops("pull", "--json", cwd=clone)

    assert (result.code, result.error["code"]) == (20, "missing-object")
    assert result.error["details"]["missing"][0]["path"] == "big.bin"
    # the clone that has it notices on its next push
    assert mlops("push", "--json", code=0).data["objects"] == 1
    mlops("pull", cwd=clone, code=0)


def test_unsaved_bytes_are_not_overwritten(pushed: Path, mlops: Any, git: Any) -> None:
    clone = clone_of(pushed, git)
    (clone / "big.bin").write_text("precious")

    result = mlops("pull", "--json", cwd=clone)

    assert (result.code, result.error["code"]) == (30, "unsaved-bytes")
    assert (clone / "big.bin").read_text() == "precious"


def test_a_dry_run_fetches_nothing(pushed: Path, mlops: Any, git: Any) -> None:
    clone = clone_of(pushed, git)

    data = mlops("pull", "--dry-run", "--json", cwd=clone, code=0).data

    assert data["lacking"] == ["big.bin", "data"]
    assert not (clone / ".mlops/cache/objects").exists()


def test_the_bundle_of_a_model_travels_with_its_alias(pushed: Path, mlops: Any, git: Any) -> None:
    (pushed / "bundle").mkdir()
    (pushed / "bundle/model.onnx").write_bytes(b"weights")
    bundle = mlops("add", "bundle", "--json", code=0).data["added"][0]["digest"]
    (pushed / "bundle.mlops").unlink()
    payload = {
        "schema": "mlops.version/1",
        "model": "delay",
        "version": 1,
        "digest": bundle,
        "bundle": bundle,
    }
    git("tag", "-a", "mlops/delay/v1", "-m", "delay v1", "-m", json.dumps(payload))
    mlops("push", code=0)
    clone = clone_of(pushed, git)

    # no alias stands for it yet, so it only comes when it is asked for
    assert mlops("pull", "--json", cwd=clone, code=0).data["lacking"] == ["big.bin", "data"]
    data = mlops("pull", "delay@v1", "--json", cwd=clone, code=0).data

    assert (data["lacking"], data["paths"]) == (["delay@v1"], [])
    assert mlops("verify", cwd=clone, code=0)
    assert mlops("pull", "delay@v9", "--json", cwd=clone).error["code"] == "unknown-version"


def test_a_model_comes_with_the_records_that_stand_behind_it(
    pushed: Path, mlops: Any, git: Any
) -> None:
    (pushed / "pipeline.yaml").write_text("version: 1\nproject: {name: delays}\n")
    git("add", "-A")
    git("commit", "-qm", "a pipeline")
    payload = {
        "schema": "mlops.version/1",
        "model": "delay",
        "version": 1,
        "digest": "sha256:" + "0" * 64,
    }
    git("tag", "-a", "mlops/delay/v1", "-m", "delay v1", "-m", json.dumps(payload))
    mlops("feedback", "the gauge is off", "--to", "data", code=0)
    clone = clone_of(pushed, git)

    before = mlops("events", "list", "--json", cwd=clone, code=0)
    assert before.data["events"] == []
    assert before.json["warnings"] == [
        "no records were fetched from origin yet: mlops pull brings them"
    ]
    shallow = pushed.parent / "shallow"
    git("clone", "-q", "--depth", "1", f"file://{pushed}", str(shallow))
    # without the tags of older commits; a whole clone has them, and needs no warning
    assert mlops("models", "list", "--json", cwd=shallow, code=0).json["warnings"]
    assert not mlops("models", "list", "--json", cwd=clone, code=0).json["warnings"]
    assert mlops("pull", "data", "--json", cwd=clone, code=0).data["history"] is None
    came = mlops("pull", "delay@v1", "--json", cwd=clone, code=0).data["history"]
    after = mlops("events", "list", "--json", cwd=clone, code=0)

    assert came["refs"] == 1
    assert [event["what"] for event in after.data["events"]] == ["the gauge is off"]
    assert after.json["warnings"] == []


def test_a_part_of_a_folder_comes_without_the_rest(repo: Path, mlops: Any, git: Any) -> None:
    mlops("remote", "add", "far", f"file://{repo.parent}/far", code=0)
    (repo / "data/deep").mkdir(parents=True)
    for name in ("a.csv", "deep/b.csv"):
        (repo / "data" / name).write_text(name)
    mlops("add", "data", code=0)
    mlops("push", code=0)
    git("add", "-A")
    git("commit", "-qm", "one")
    clone = repo.parent / "a clone"
    git("clone", "-q", str(repo), str(clone))

    result = mlops("pull", "data/deep/b.csv", "--json", cwd=clone, code=0)

    assert [one["path"] for one in result.data["paths"]] == ["data/deep/b.csv"]
    assert [path.name for path in (clone / "data").rglob("*.csv")] == ["b.csv"]


def test_a_clone_that_lacks_nothing_needs_no_data_remote(
    repo: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    git("commit", "-qm", "nothing yet", "--allow-empty")
    git("clone", "-q", "--no-tags", str(repo), "../clone")
    git("tag", "-am", "{}", "mlops/m/v1")

    came = mlops("pull", "--json", cwd=repo.parent / "clone", code=0)

    assert_valid(came.json)
    assert came.data["history"]["tags"] == 1
    (repo / "big.bin").write_bytes(b"big")
    mlops("add", "big.bin", code=0)
    git("add", "big.bin.mlops", ".gitignore")
    git("commit", "-qm", "data that nobody can have")
    git("pull", "-q", cwd=repo.parent / "clone")
    assert mlops("pull", "--json", cwd=repo.parent / "clone", code=20).error["code"] == "no-remote"


def test_older_versions_come_into_the_cache_when_asked(repo: Path, mlops: Any, git: Any) -> None:
    mlops("remote", "add", "origin", "../remote", code=0)
    for text in ("first", "second"):
        (repo / "big.bin").write_text(text)
        mlops("add", "big.bin", code=0)
        git("add", "-A")
        git("commit", "-qm", text)
    mlops("push", "--history", code=0)
    clone = repo.parent / "clone"
    git("clone", "-q", str(repo), str(clone))

    mlops("pull", cwd=clone, code=0)
    plan = mlops("pull", "--history", "--dry-run", "--json", cwd=clone, code=0).data
    assert plan["lacking"] == ["big.bin"]
    assert mlops("pull", "--history", "--json", cwd=clone, code=0).data["objects"] == 1

    assert (clone / "big.bin").read_text() == "second"
    shutil.rmtree(repo.parent / "remote")
    mlops("checkout", "big.bin@HEAD~1", cwd=clone, code=0)
    assert (clone / "big.bin").read_text() == "first"
