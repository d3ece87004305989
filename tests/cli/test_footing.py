"""Edits that git has overtaken: told, not added over what came, and merged with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def overtaken(repo: Path, mlops: Any, git: Any) -> Path:
    """`photos` and `one.csv` edited on main, while git brought other versions of both."""
    (repo / ".gitignore").write_text("/.mlops/*\n")
    (repo / "photos").mkdir()
    for number in (1, 2, 3):
        (repo / f"photos/{number}.txt").write_text(str(number))
    (repo / "one.csv").write_text("1")
    mlops("add", "photos", "one.csv", code=0)
    git("add", "-A")
    git("commit", "-qm", "first")
    git("checkout", "-qb", "theirs")
    (repo / "photos/2.txt").write_text("theirs")
    (repo / "one.csv").write_text("theirs")
    mlops("add", "photos", "one.csv", code=0)
    git("commit", "-qam", "theirs")
    git("checkout", "-q", "main")
    mlops("checkout", code=0)
    (repo / "photos/1.txt").write_text("ours")
    (repo / "photos/3.txt").unlink()
    (repo / "one.csv").write_text("our own")
    git("merge", "-q", "--ff-only", "theirs")
    return repo


def rows(mlops: Any) -> dict[str, tuple[str, str]]:
    found = mlops("status", "--json", code=0).data["workspace"]["rows"]
    return {row["name"]: (row["reason"], row["mend"]) for row in found}


def test_the_hook_and_status_name_the_command_that_saves_both(overtaken: Path, mlops: Any) -> None:
    said = mlops("hooks", "run", "post-merge", "0", code=0).stderr
    assert "git has moved on: mlops merge one.csv photos" in said
    assert rows(mlops)["photos"] == (
        "edited, and git has moved on since",
        "mlops merge photos",
    )


@pytest.mark.parametrize("path", ["photos", "photos/2.txt", "one.csv"])
def test_add_refuses_to_undo_what_git_brought(overtaken: Path, mlops: Any, path: str) -> None:
    before = (overtaken / "photos.mlops").read_text()
    for plan in ([], ["--dry-run"]):
        result = mlops("add", path, *plan, "--json", code=30)
        assert result.error["code"] == "behind"
        assert result.error["hint"].startswith(f"mlops merge {path.partition('/')[0]} keeps both")
    assert (overtaken / "photos.mlops").read_text() == before
    mlops("add", "--force", path, code=0)


def test_a_merge_saves_both_and_what_comes_after_is_added_as_ever(
    overtaken: Path, mlops: Any, assert_valid: Any
) -> None:
    before = (overtaken / "photos.mlops").read_text()
    plan = mlops("merge", "photos", "--dry-run", "--json", code=0)
    assert (plan.data["carried"], (overtaken / "photos.mlops").read_text()) == (["photos"], before)
    result = mlops("merge", "photos", "--json", code=0)
    assert_valid(result.json)
    found = {one.name: one.read_text() for one in (overtaken / "photos").iterdir()}
    assert found == {"1.txt": "ours", "2.txt": "theirs"}
    assert "photos" not in rows(mlops)
    (overtaken / "photos/4.txt").write_text("more")
    mlops("add", "photos", code=0)


def test_what_both_changed_is_decided_as_in_any_merge(overtaken: Path, mlops: Any) -> None:
    assert "mlops merge --ours|--theirs|--both one.csv" in mlops("merge", "one.csv", code=1).stdout
    pointer = json.loads((overtaken / "one.csv.mlops").read_text())
    assert (pointer["size"], pointer["theirs"]["size"]) == (7, 6)
    mlops("merge", "--both", "one.csv", code=0)
    assert (overtaken / "one.csv").read_text() == "our own"
    assert (overtaken / "one.csv.theirs").read_text() == "theirs"


def test_data_without_edits_is_brought_and_not_merged(
    overtaken: Path, mlops: Any, git: Any
) -> None:
    mlops("checkout", "--force", code=0)
    assert rows(mlops) == {}
    git("reset", "-q", "--hard", "HEAD~1")
    assert rows(mlops)["photos"][1] == "mlops checkout photos"
    error = mlops("add", "photos", "--json", code=30).error
    assert (error["code"], error["hint"][:22]) == ("behind", "mlops checkout photos ")
    mlops("checkout", code=0)
    (overtaken / "photos/2.txt").write_text("edited")
    mlops("add", "photos", code=0)


def test_a_version_that_was_checked_out_may_be_added_back(
    overtaken: Path, mlops: Any, git: Any
) -> None:
    mlops("checkout", "--force", code=0)
    mlops("checkout", "photos@HEAD~1", code=0)
    mlops("add", "photos", code=0)
    assert git("diff", "--stat", "HEAD~1", "--", "photos.mlops") == ""


def test_a_new_name_and_a_part_taken_out_keep_the_footing(
    overtaken: Path, mlops: Any, git: Any
) -> None:
    mlops("checkout", "--force", code=0)
    mlops("move", "photos", "pictures", code=0)
    mlops("remove", "pictures/3.txt", code=0)
    git("commit", "-qam", "moved")
    (overtaken / "pictures/5.txt").write_text("new")
    mlops("add", "pictures", code=0)
    git("checkout", "-q", "--", "pictures.mlops")
    assert mlops("add", "pictures", "--json", code=30).error["code"] == "behind"
