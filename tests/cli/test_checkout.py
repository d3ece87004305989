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


def test_just_a_part_of_a_tracked_folder_comes(two_versions: Path, mlops: Any, git: Any) -> None:
    for name in ("data/a.csv", "data/new.csv", "data/link", "data/deep/run.sh"):
        (two_versions / name).unlink()

    mlops("checkout", "data/deep", "data/link", "data/deep/run.sh", code=0)

    assert os.access(two_versions / "data/deep/run.sh", os.X_OK)
    assert str((two_versions / "data/link").readlink()) == "a.csv"
    assert not (two_versions / "data/a.csv").exists()
    assert mlops("checkout", "data/nothing", "--json").error["code"] == "not-tracked"


def test_data_of_any_revision_comes_and_the_pointer_stays(
    two_versions: Path, mlops: Any, git: Any
) -> None:
    result = mlops("checkout", "data/a.csv@HEAD~1", "--json", code=0)

    assert [path["path"] for path in result.data["paths"]] == ["data/a.csv"]
    assert (two_versions / "data/a.csv").read_text() == "one"
    assert (two_versions / "data/new.csv").read_text() == "new"
    assert git("status", "--porcelain") == ""
    mlops("checkout", "data", "--rev", "HEAD~1", code=0)
    assert not (two_versions / "data/new.csv").exists()
    assert mlops("checkout", "data@HEAD", "--rev", "HEAD", "--json").error["code"] == "bad-value"
    assert mlops("checkout", "data@nonsense", "--json").error["code"] == "unknown-revision"


def test_a_part_never_goes_over_unsaved_bytes(two_versions: Path, mlops: Any) -> None:
    (two_versions / "data/a.csv").write_text("precious")

    result = mlops("checkout", "data/a.csv@HEAD~1", "--json")

    assert (result.code, result.error["details"]["paths"]) == (30, ["data/a.csv"])
    assert (two_versions / "data/a.csv").read_text() == "precious"


def test_another_folder_takes_the_data_at_their_paths(
    two_versions: Path, mlops: Any, tmp_path: Path
) -> None:
    (two_versions / "data/a.csv").write_text("precious")

    result = mlops("checkout", "@HEAD~1", "--to", str(tmp_path / "old"), "--json", code=0)

    assert result.data["to"] == str(tmp_path / "old")
    assert (tmp_path / "old/data/a.csv").read_text() == "one"
    assert (two_versions / "data/a.csv").read_text() == "precious"
    (tmp_path / "old/data/a.csv").write_text("mine")
    refused = mlops("checkout", "--to", str(tmp_path / "old"), "--json")
    assert refused.error["details"]["paths"] == [str(tmp_path / "old/data/a.csv")]


def test_a_part_is_fetched_without_the_rest(
    two_versions: Path, mlops: Any, git: Any, tmp_path: Path
) -> None:
    mlops("remote", "add", "here", f"file://{tmp_path}/remote", code=0)
    git("add", "-A")
    git("commit", "-qm", "remote")
    mlops("push", code=0)
    mlops("checkout", "@HEAD~2", code=0)
    clone = two_versions.parent / "clone"
    git("clone", "-q", str(two_versions), str(clone))
    refused = mlops("checkout", "data/deep", "--json", cwd=clone)
    assert refused.error["code"] == "missing-object"

    mlops("checkout", "data/deep/run.sh", "--fetch", code=0, cwd=clone)

    assert sorted(path.name for path in clone.glob("data/**/*")) == ["deep", "run.sh"]
    cached = mlops("ls", "data", "--json", code=0, cwd=clone)  # the listing came, not the data
    assert [entry["path"] for entry in cached.data["entries"]] == [
        "data/a.csv",
        "data/deep",
        "data/link",
        "data/new.csv",
    ]


def test_the_executable_bit_of_a_single_file_comes_back(repo: Path, mlops: Any) -> None:
    (repo / "tool").write_text("#!/bin/sh\n")
    (repo / "tool").chmod(0o755)
    mlops("add", "tool", code=0)
    (repo / "tool").unlink()

    mlops("checkout", code=0)
    assert os.access(repo / "tool", os.X_OK)

    (repo / "tool").chmod(0o644)
    mlops("checkout", code=0)
    assert os.access(repo / "tool", os.X_OK)
