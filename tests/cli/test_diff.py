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
    assert result.data["files"] == {
        "added": 0,
        "modified": 1,
        "deleted": 1,
        "renamed": 0,
    }


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


def test_a_path_inside_a_folder_narrows_it_too(history: Path, mlops: Any) -> None:
    (data,) = mlops("diff", "HEAD~1", "HEAD", "data/deep", "--json", code=0).data["changes"]
    assert kinds(data) == {"data/deep/c": "modified"}


def test_what_moved_is_renamed_and_tables_are_looked_into(
    repo: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    (repo / "data/2012").mkdir(parents=True)
    for n in range(5):
        (repo / f"data/2012/{n}.csv").write_text(f"id,x\n{n},1\n{n + 10},2\n")
    (repo / "data/all.csv").write_text("id,x,old\n1,10,a\n2,20,b\n3,30,c\n")
    mlops("add", "data", code=0)
    git("add", "-A")
    git("commit", "-qm", "one")
    (repo / "data/2012").rename(repo / "data/2013")
    (repo / "data/2013/4.csv").write_text("id,x\n4,9\n")
    (repo / "data/all.csv").write_text("id,x,late\n2,20,true\n3,31.5,false\n4,40,true\n")

    result = mlops("diff", "--key", "id", "--json", code=0)

    assert_valid(result.json)
    assert result.stderr == ""
    (data,) = result.data["changes"]
    assert result.data["files"] == {"added": 0, "modified": 1, "deleted": 0, "renamed": 5}
    assert {file["path"]: file.get("former") for file in data["files"]} == {
        **{f"data/2013/{n}.csv": f"data/2012/{n}.csv" for n in range(5)},
        "data/all.csv": None,
    }
    table = next(file["table"] for file in data["files"] if file["path"] == "data/all.csv")
    assert table["columns"] == {
        "added": ["late"],
        "removed": ["old"],
        "retyped": ["x"],
        "changed": ["id", "x"],
        "reordered": False,
    }
    assert table["rows"] == {
        "old": 3,
        "new": 3,
        "added": 1,
        "removed": 1,
        "changed": 1,
        "columns": {"x": 1},
    }
    assert (table["old"]["x"]["mean"], table["new"]["x"]["max"]) == (20.0, 40.0)
    shown = mlops("diff", code=0).stdout
    assert "→  data/2012/ → data/2013/  (5 files, 1 of them edited)" in shown
    assert "→  2012/4.csv → 2013/4.csv" in shown and "2 → 1 rows" in shown
    assert "+ late: bool" in shown and "int64 → double" in shown
    assert "late" not in mlops("diff", "--no-tables", code=0).stdout
    stat = mlops("diff", "--stat", code=0).stdout.splitlines()
    assert stat[0].split()[:3] == ["data", "~1", "→5"]


def test_something_tracked_that_moved_is_renamed_as_a_whole(
    history: Path, mlops: Any, git: Any
) -> None:
    mlops("move", "one.bin", "two.bin", code=0)
    git("commit", "-qm", "moved")

    (change,) = mlops("diff", "HEAD~1", "HEAD", "--json", code=0).data["changes"]

    assert (change["path"], change["former"], change["kind"]) == ("two.bin", "one.bin", "renamed")


def test_a_table_that_cannot_be_read_is_told_and_the_rest_is_shown(
    repo: Path, mlops: Any, git: Any
) -> None:
    (repo / "a.parquet").write_text("no")
    mlops("add", "a.parquet", code=0)
    git("add", "-A")
    git("commit", "-qm", "one")
    (repo / "a.parquet").write_text("neither")

    result = mlops("diff", "--json", code=0)

    assert result.data["files"]["modified"] == 1
    assert result.json["warnings"][0].startswith("a.parquet: a.parquet cannot be read as a table")


def test_an_executable_bit_alone_is_a_change(
    history: Path, mlops: Any, git: Any, assert_valid: Any
) -> None:
    (history / "one.bin").chmod(0o755)
    result = mlops("diff", "--json", code=0)
    assert_valid(result.json)
    (one,) = result.data["changes"]
    assert (one["path"], one["kind"], one["old"]["digest"]) == (
        "one.bin",
        "modified",
        one["new"]["digest"],
    )
    assert (one["old"]["executable"], one["new"]["executable"]) == (False, True)
    assert "    executable\n" in mlops("diff", code=0).stdout
    mlops("add", "one.bin", code=0)
    git("commit", "-qam", "three")
    assert mlops("diff", "--json", code=0).data["changes"] == []
    assert "    executable\n" in mlops("diff", "HEAD~1", "HEAD", code=0).stdout
    assert "no longer executable" in mlops("diff", "HEAD..HEAD~1", code=0).stdout
