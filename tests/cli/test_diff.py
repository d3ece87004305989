"""`mlops diff`: which files of the data differ, between which moments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def history(repo: Path, mlops: Any, git: Any) -> Path:
    """Two commits: `data` changes, `one.bin` is there only in the second."""
    (repo / "data/deep").mkdir(parents=True)
    for name in ("a", "b", "deep/c", "deep/d"):
        (repo / "data" / name).write_text(name)
    mlops("add", "data", code=0)
    git("add", "-A")
    git("commit", "-qm", "one")
    (repo / "data/deep/c").write_text("longer")
    (repo / "data/b").unlink()
    (repo / "data/e").write_text("e")
    (repo / "one.bin").write_text("1")
    mlops("add", "data", "one.bin", code=0)
    git("add", "-A")
    git("commit", "-qm", "two")
    return repo


def kinds(change: Any) -> dict[str, str]:
    return {file["path"]: file["kind"] for file in change["files"]}


def test_a_clean_workspace_differs_in_nothing(history: Path, mlops: Any) -> None:
    assert mlops("diff", "--json", code=0).data["changes"] == []


def test_the_workspace_is_compared_with_head(history: Path, mlops: Any, assert_valid: Any) -> None:
    (history / "data/a").write_text("changed")
    (history / "one.bin").unlink()

    result = mlops("diff", "--json", code=0)

    assert_valid(result.json)
    data, one = result.data["changes"]
    assert kinds(data) == {"data/a": "modified"}
    assert (data["files"][0]["old"]["size"], data["files"][0]["new"]["size"]) == (1, 7)
    assert (one["path"], one["kind"], one["new"]) == ("one.bin", "deleted", None)
    assert result.data["files"] == {"added": 0, "modified": 1, "deleted": 1}


@pytest.mark.parametrize("words", [("HEAD~1", "HEAD"), ("HEAD~1..HEAD",), ("HEAD~1",)])
def test_two_commits_are_compared(history: Path, mlops: Any, words: tuple[str, ...]) -> None:
    data, one = mlops("diff", *words, "--json", code=0).data["changes"]

    assert kinds(data) == {
        "data/b": "deleted",
        "data/deep/c": "modified",
        "data/e": "added",
    }
    assert (one["path"], one["kind"]) == ("one.bin", "added")


def test_a_path_narrows_it(history: Path, mlops: Any) -> None:
    changes = mlops("diff", "HEAD~1", "HEAD", "one.bin", "--json", code=0).data["changes"]
    assert [change["path"] for change in changes] == ["one.bin"]
    assert mlops("diff", "one.bin", "--json", code=0).data["changes"] == []


def test_before_the_first_commit_everything_is_added(repo: Path, mlops: Any) -> None:
    (repo / "a.csv").write_text("1")
    mlops("add", "a.csv", code=0)

    (change,) = mlops("diff", "--json", code=0).data["changes"]

    assert (change["path"], change["kind"]) == ("a.csv", "added")


def test_without_the_listings_it_says_so(history: Path, mlops: Any, git: Any) -> None:
    clone = history.parent / "clone"
    git("clone", "-q", str(history), str(clone))

    changes = mlops("diff", "HEAD~1", "HEAD", "--json", cwd=clone, code=0).data["changes"]

    assert [change["files"] for change in changes if change["path"] == "data"] == [None]


def test_an_unknown_revision_is_refused(history: Path, mlops: Any) -> None:
    result = mlops("diff", "nonsense", "--json")
    assert (result.code, result.error["code"]) == (20, "unknown-revision")


def test_a_person_reads_marks_and_sizes(history: Path, mlops: Any) -> None:
    shown = mlops("diff", "HEAD~1", "HEAD", code=0).stdout
    assert "~ data\n" in shown
    assert "-  b" in shown and "~  deep/c" in shown and "+  e" in shown
    assert shown.endswith("Files: 2 added, 1 modified, 1 deleted.\n")
