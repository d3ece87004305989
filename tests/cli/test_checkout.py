"""`mlops checkout`: the workspace becomes what git says, and nothing unsaved is lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def two_versions(repo: Path, mlops: Any, git: Any) -> Path:
    """A repository with two commits of the folder `data`; the second is checked out."""
    (repo / "data/deep/empty").mkdir(parents=True)
    (repo / "data/a.csv").write_text("one")
    (repo / "data/deep/run.sh").write_text("#!/bin/sh\n")
    (repo / "data/deep/run.sh").chmod(0o755)
    (repo / "data/link").symlink_to("a.csv")
    mlops("add", "data", code=0)
    git("add", "-A")
    git("commit", "-qm", "one")
    (repo / "data/a.csv").write_text("two")
    (repo / "data/new.csv").write_text("new")
    mlops("add", "data", code=0)
    git("commit", "-qam", "two")
    return repo


def test_the_data_of_an_older_commit_comes_back(
    two_versions: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    git("checkout", "-q", "HEAD~1")

    result = mlops("checkout", "--json", code=0)

    assert_valid(result.json)
    assert (two_versions / "data/a.csv").read_text() == "one"
    assert not (two_versions / "data/new.csv").exists()
    assert os.access(two_versions / "data/deep/run.sh", os.X_OK)
    assert str((two_versions / "data/link").readlink()) == "a.csv"
    assert (two_versions / "data/deep/empty").is_dir()
    git("checkout", "-q", "main")
    mlops("checkout", code=0)
    assert (two_versions / "data/new.csv").read_text() == "new"


def test_checkout_refuses_to_overwrite_unsaved_bytes(
    two_versions: Path, mlops: Any, git: Any
) -> None:
    (two_versions / "data/a.csv").write_text("precious")
    (two_versions / "data/other.csv").write_text("also precious")
    git("checkout", "-q", "HEAD~1")

    result = mlops("checkout", "--json")

    assert (result.code, result.error["code"]) == (30, "unsaved-bytes")
    assert result.error["details"]["paths"] == ["data/a.csv", "data/other.csv"]
    assert (two_versions / "data/a.csv").read_text() == "precious"
    assert (two_versions / "data/new.csv").read_text() == "new"

    mlops("checkout", "--force", code=0)
    assert (two_versions / "data/a.csv").read_text() == "one"
    assert not (two_versions / "data/other.csv").exists()


def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    two_versions: Path, mlops: Any, git: Any
) -> None:
    git("checkout", "-q", "HEAD~1")

    (step,) = mlops("checkout", "--dry-run", "--json", code=0).data["paths"]

    assert (step["created"], step["replaced"], step["deleted"]) == (0, 1, 1)
    assert (two_versions / "data/a.csv").read_text() == "two"


def test_only_the_named_path_is_touched(repo: Path, mlops: Any) -> None:
    for name in ("a.csv", "b.csv"):
        (repo / name).write_text(name)
    mlops("add", "a.csv", "b.csv", code=0)
    (repo / "a.csv").unlink()
    (repo / "b.csv").unlink()

    mlops("checkout", "a.csv.mlops", code=0)

    assert (repo / "a.csv").exists()
    assert not (repo / "b.csv").exists()


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_links_lead_to_read_only_objects(repo: Path, mlops: Any, kind: str) -> None:
    (repo / "big.bin").write_bytes(os.urandom(1 << 20))
    mlops("add", "big.bin", code=0)
    (repo / "big.bin").unlink()

    mlops("checkout", "--link", kind, code=0)

    place = repo / "big.bin"
    assert place.is_symlink() == (kind == "symlink")
    assert (place.stat().st_nlink > 1) or kind == "symlink"
    assert not place.stat().st_mode & 0o222
    assert mlops("diff", "--json", code=0).data["changes"][0]["kind"] == "added"  # not committed
    assert mlops("checkout", "--json", code=0).data["paths"][0]["created"] == 0


def test_what_is_not_in_the_cache_is_told_with_the_next_command(
    two_versions: Path, mlops: Any, git: Any
) -> None:
    clone = two_versions.parent / "clone"
    git("clone", "-q", str(two_versions), str(clone))

    result = mlops("checkout", "--json", cwd=clone)

    assert (result.code, result.error["code"]) == (20, "missing-object")
    assert result.error["hint"] == "mlops pull data"


def test_an_unknown_path_is_refused(two_versions: Path, mlops: Any) -> None:
    assert mlops("checkout", "nothing", "--json").error["code"] == "not-tracked"


def test_a_damaged_object_is_refused_by_name(repo: Path, mlops: Any) -> None:
    (repo / "big.bin").write_bytes(os.urandom(1 << 20))
    digest = mlops("add", "big.bin", "--json", code=0).data["added"][0]["digest"]
    (repo / "big.bin").unlink()
    name = digest.removeprefix("sha256:")
    place = repo / ".mlops/cache/objects" / name[:2] / name[2:]
    place.chmod(0o644)
    data = bytearray(place.read_bytes())
    data[77] ^= 1
    place.write_bytes(data)

    result = mlops("checkout", "--json")

    assert (result.code, result.error["code"]) == (40, "damaged-object")
    assert "big.bin" in result.error["message"]
    assert result.error["hint"] == "mlops verify --repair"
    assert not (repo / "big.bin").exists()


def test_a_pointer_with_conflict_marks_is_refused_by_name(repo: Path, mlops: Any) -> None:
    (repo / "a.csv.mlops").write_text("<<<<<<< HEAD\n{}\n")

    result = mlops("checkout", "--json")

    assert (result.code, result.error["code"]) == (40, "malformed-json")
    assert "a.csv.mlops:1:1" in result.error["message"]


def test_a_pointer_below_a_link_that_leaves_the_project_is_refused(repo: Path, mlops: Any) -> None:
    (repo / "data").mkdir()
    (repo / "data/a.csv").write_text("1")
    mlops("add", "data/a.csv", code=0)
    pointer = (repo / "data/a.csv.mlops").read_text()
    outside = repo.parent / "elsewhere"
    outside.mkdir()
    for left in (repo / "data").iterdir():
        left.unlink()
    (repo / "data").rmdir()
    (repo / "data").symlink_to(outside)
    lock = repo / ".mlops/lock"
    lock.mkdir()
    digest = pointer.split('"digest": "')[1].split('"')[0]
    (lock / "s.json").write_text(
        f'{{"step": "s", "outputs": {{"data/a.csv": {{"digest": "{digest}", "kind": "file"}}}}}}'
    )

    result = mlops("checkout", "--json")

    assert result.error["code"] == "path-outside-project"
    assert list(outside.iterdir()) == []
