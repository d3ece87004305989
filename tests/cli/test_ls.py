"""`mlops ls`: what is tracked and what lies in it, also without the bytes in the workspace."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any


def test_tracked_paths_are_listed_with_outputs_of_steps(
    repo: Path, mlops: Any, assert_valid: Any
) -> None:
    (repo / "data/deep").mkdir(parents=True)
    (repo / "data/deep/a").write_text("1")
    digest = mlops("add", "data", "--json", code=0).data["added"][0]["digest"]
    (repo / ".mlops/lock").mkdir(parents=True, exist_ok=True)
    lock = {
        "step": "features.x",
        "outputs": {"out/x": {"digest": digest, "kind": "tree", "size": 1, "files": 1}},
    }
    (repo / ".mlops/lock/features.x.json").write_text(json.dumps(lock))

    result = mlops("ls", "--json", code=0)

    assert_valid(result.json)
    assert [(one["path"], one["step"]) for one in result.data["entries"]] == [
        ("data", None),
        ("out/x", "features.x"),
    ]


def test_a_tracked_folder_is_opened_without_checking_it_out(repo: Path, mlops: Any) -> None:
    (repo / "data/deep").mkdir(parents=True)
    (repo / "data/deep/a").write_text("1")
    (repo / "data/b").write_text("22")
    mlops("add", "data", code=0)
    shutil.rmtree(repo / "data")

    def paths(*words: str) -> list[str]:
        return [one["path"] for one in mlops("ls", *words, "--json", code=0).data["entries"]]

    assert paths("data") == ["data/b", "data/deep"]
    assert paths("data/deep") == ["data/deep/a"]
    assert paths("data/deep/a") == ["data/deep/a"]
    assert paths("-r") == ["data", "data/b", "data/deep", "data/deep/a"]
    assert mlops("ls", "data/none", "--json").error["code"] == "not-tracked"


def test_an_older_commit_can_be_listed(repo: Path, mlops: Any, git: Any) -> None:
    (repo / "a.csv").write_text("1")
    mlops("add", "a.csv", code=0)
    git("add", "-A")
    git("commit", "-qm", "one")
    git("rm", "-q", "a.csv.mlops")

    assert mlops("ls", "--json", code=0).data["entries"] == []
    (one,) = mlops("ls", "--rev", "HEAD", "--json", code=0).data["entries"]
    assert one["path"] == "a.csv"


def test_with_nothing_tracked_it_says_how_to_begin(repo: Path, mlops: Any) -> None:
    assert "mlops add" in mlops("ls", code=0).stdout


def test_a_long_listing_tells_modes_bytes_and_digests(repo: Path, mlops: Any) -> None:
    (repo / "data").mkdir()
    (repo / "data/run.sh").write_text("#!/bin/sh\n")
    (repo / "data/run.sh").chmod(0o755)
    digest = mlops("add", "data", "--json", code=0).data["added"][0]["digest"]

    lines = mlops("ls", "-lR", code=0).stdout.splitlines()

    assert lines[0].split() == ["dir", "1", "10", digest, "data/"]
    assert lines[1].split()[0] == "exec" and lines[1].endswith("data/run.sh")
