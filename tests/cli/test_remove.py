"""`mlops remove`: pointers and parts go, bytes in the cache stay, unsaved bytes are not lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def data(repo: Path, mlops: Any, git: Any) -> Path:
    """`data` (a.csv, b.tmp, deep/c.tmp, deep/d.csv) and `one.bin` are tracked and committed."""
    (repo / "data/deep").mkdir(parents=True)
    for name in ("a.csv", "b.tmp", "deep/c.tmp", "deep/d.csv"):
        (repo / "data" / name).write_text(name)
    (repo / "one.bin").write_text("1")
    mlops("add", "data", "one.bin", code=0)
    git("add", "-A")
    git("commit", "-qm", "one")
    return repo


def files(mlops: Any) -> set[str]:
    found = mlops("ls", "-R", "--json", code=0).data["entries"]
    return {row["path"] for row in found if row["mode"] != "dir"}


def test_what_is_removed_is_no_longer_tracked_and_its_files_stay(
    data: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    result = mlops("remove", "one.bin", "--json", code=0)

    assert_valid(result.json)
    assert result.data["removed"] == [{"path": "one.bin", "tracked": "one.bin", "files": 0}]
    assert (data / "one.bin").read_text() == "1"
    assert "/one.bin" not in (data / ".gitignore").read_text()
    assert git("status", "--porcelain").splitlines() == [
        "M  .gitignore",
        "D  one.bin.mlops",
        "?? one.bin",
    ]
    mlops("checkout", "one.bin@HEAD", code=0)


def test_with_data_the_files_go_too_but_for_unsaved_ones(data: Path, mlops: Any) -> None:
    (data / "data/new.csv").write_text("precious")

    refused = mlops("remove", "data", "--data", "--json")

    assert (refused.code, refused.error["details"]["paths"]) == (30, ["data/new.csv"])
    assert (data / "data/a.csv").exists() and (data / "data.mlops").exists()
    mlops("remove", "data", "--data", "--force", code=0)
    assert not (data / "data").exists() and not (data / "data.mlops").exists()


def test_a_part_goes_without_having_the_rest(data: Path, mlops: Any, git: Any) -> None:
    shutil.rmtree(data / "data")

    mlops("remove", "data/deep/c.tmp", code=0)

    assert files(mlops) == {"one.bin", "data/a.csv", "data/b.tmp", "data/deep/d.csv"}
    assert git("status", "--porcelain").splitlines() == ["M  data.mlops"]


def test_a_part_leaves_the_workspace_as_well_unless_it_shall_stay(data: Path, mlops: Any) -> None:
    mlops("remove", "data/b.tmp", code=0)
    assert not (data / "data/b.tmp").exists()
    assert mlops("status", "--json", code=0).data["workspace"]["clean"]

    (data / "data/a.csv").write_text("precious")
    assert mlops("remove", "data/a.csv", "--json").error["code"] == "unsaved-bytes"
    mlops("remove", "data/a.csv", "--keep-data", code=0)
    assert (data / "data/a.csv").read_text() == "precious"
    assert "data/a.csv" not in files(mlops)


def test_patterns_are_held_against_the_listing(data: Path, mlops: Any) -> None:
    shutil.rmtree(data / "data")

    plan = mlops("remove", "data/**/*.tmp", "--dry-run", "--json", code=0).data
    assert [one["path"] for one in plan["removed"]] == ["data/b.tmp", "data/deep/c.tmp"]
    mlops("remove", "data/**/*.tmp", code=0)

    assert files(mlops) == {"one.bin", "data/a.csv", "data/deep/d.csv"}
    assert mlops("remove", "data/*.nothing", "--json").error["code"] == "no-match"


def test_what_a_step_reads_is_refused_by_the_name_of_the_step(data: Path, mlops: Any) -> None:
    (data / "pipeline.yaml").write_text(
        "version: 1\nproject: {name: p}\nsteps:\n  clean:\n    cmd: cp one.bin out/x\n"
        "    deps: [one.bin, data]\n    outs: [out/x]\n"
    )

    result = mlops("remove", "one.bin", "--json")

    assert (result.code, result.error["code"]) == (30, "still-read")
    assert result.error["details"]["readers"] == {"one.bin": ["clean"]}
    mlops("remove", "data/a.csv", code=0)  # the folder that is read only gets smaller
    mlops("remove", "one.bin", "--force", code=0)


def test_what_is_ignored_stays_where_it_is(data: Path, mlops: Any) -> None:
    (data / ".mlopsignore").write_text("*.log\n")
    (data / "data/deep/x.log").write_text("mine")

    mlops("remove", "data/deep", code=0)

    assert [path.name for path in (data / "data/deep").iterdir()] == ["x.log"]


@pytest.mark.parametrize("path", ["nothing", "data/nothing", "one.bin/x"])
def test_what_is_not_tracked_is_refused(data: Path, mlops: Any, path: str) -> None:
    assert mlops("remove", path, "--json").error["code"] == "not-tracked"
